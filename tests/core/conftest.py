"""Small data sets, and one real training that many tests look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class TrainedRun(NamedTuple):
    """A finished training: where its data lies, and every event it printed."""

    data: Path
    events: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]


def cli(*words: object, stdin: str = "", env: dict[str, str] | None = None) -> Ran:
    """Run the program as a person would, from another folder than its own."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_tui.py"), *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        cwd="/",
        env=os.environ | (env or {}),
        timeout=170,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def picture(label: int, seed: int, size: int = 64) -> Image.Image:
    """Return noise with light from above (0) or below (1), in colour."""
    random = np.random.default_rng(seed)
    slope = np.linspace(40, 200, size) if label else np.linspace(200, 40, size)
    pixels = slope[:, None, None] + random.normal(0, 25, (size, size, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write_dataset(folder: Path, per_class: int = 40, size: int = 64) -> Path:
    """Write class folders `high` and `low` that a few steps of training can tell apart."""
    for label, name in enumerate(("high", "low")):
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            picture(label, seed=1000 * label + i, size=size).save(folder / name / f"{i:03}.png")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep runs, settings and caches of the tests away from those of the person who runs them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALEXNET_TUI_RUNS", str(home / "runs"))
        patch.setenv("ALEXNET_TUI_SETTINGS", str(home / "settings.toml"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        yield home


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A small data set of this test's own."""
    return write_dataset(tmp_path / "data", per_class=8)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, own_folders: Path) -> TrainedRun:
    """A real run through the real command, with one unreadable file and one copy in its data."""
    data = write_dataset(tmp_path_factory.mktemp("trained") / "data")
    (data / "high" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (data / "low" / "copy.png").write_bytes((data / "low" / "000.png").read_bytes())
    words = ["train", data, "--image-size", 64, "--epochs", 3, "--batch-size", 16, "--json"]
    ran = cli(*words, "--split", 75, "--learning-rate", "3e-4")
    assert ran.code == 0, ran.err
    return TrainedRun(data, ran.objects)
