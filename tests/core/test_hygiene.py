"""The walls of the house: what may not be loaded where, proved in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.core.conftest import ROOT

HEAVY = {"torch", "torchvision"}
SCREEN = {"textual", "rich", "plotext", "textual_plotext", "tui"}
NEEDS_TORCH = (
    "core.model.alexnet",
    "core.model.exported",
    "core.model.folded",
    "core.model.network",
    "core.model.preprocess",
    "core.training.",
    "core.evaluation.answers",
    "core.evaluation.certificate",
    "core.evaluation.evaluating",
    "core.prediction.predictor",
)


def modules() -> list[str]:
    files = sorted((ROOT / "core").rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return [name.removesuffix(".__init__") for name in names]


def loaded_by(*names: str) -> set[str]:
    code = "import sys, importlib\nfor n in sys.argv[1:]: importlib.import_module(n)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_core_without_torch_stays_without_it() -> None:
    light = [name for name in modules() if not name.startswith(NEEDS_TORCH)]
    assert len(light) > 20
    assert not loaded_by(*light) & (HEAVY | SCREEN)


def test_core_with_torch_knows_no_screen() -> None:
    assert not loaded_by(*modules()) & SCREEN


def test_the_engine_loads_nothing_that_can_wait() -> None:
    assert not loaded_by("core.engine", "core.cli") & {"numpy", "PIL", "httpx", "pynvml"}


def test_nothing_is_pickled() -> None:
    for path in (ROOT / "core").rglob("*.py"):
        code = path.read_text()
        assert "import pickle" not in code and "torch.save(" not in code, path
        # Allowed are safetensors' function of that name, and the advice how to convert elsewhere.
        for harmless in ("safetensors.torch.load(", "torch.load('IN.pth', weights_only=True)"):
            code = code.replace(harmless, "")
        assert "torch.load(" not in code, path


def test_only_the_house_of_runs_names_its_files() -> None:
    names = ("events.jsonl", "bookmark", "config.json", "worker.log")
    for path in (ROOT / "core").rglob("*.py"):
        if path.parent.name != "runs":
            code = path.read_text()
            assert not any(f'"{name}"' in code for name in names), path


def test_no_file_is_a_god() -> None:
    for folder in ("core", "tui"):
        for path in Path(ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path
