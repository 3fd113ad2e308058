"""Presets: settings under a name, in files that a person may edit and break."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from core.config import TrainConfig, changed
from core.errors import UserError
from core.presets import MOST_BYTES, load_presets, presets_root, save_preset

CHANGED = TrainConfig(
    data="d",
    split=70,
    learning_rate=3e-4,
    freeze=True,
    weights='a "quoted"\\path.safetensors',
    group="^[a-z]+\\d\x7f",
    patience=5,
)


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_what_is_saved_comes_back() -> None:
    save_preset("Small [faces] ☺", changed(CHANGED))
    (preset,) = load_presets()
    assert preset.name == "Small [faces] ☺"
    assert preset.settings == changed(CHANGED)
    (path,) = presets_root().iterdir()
    assert path.name == "small-faces.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_name_is_replaced_and_no_other() -> None:
    for name, split in (("a b", 60), ("a-b", 70), ("../a/b", 75), ("a b", 65)):
        save_preset(name, {"split": split})
    assert {preset.name: preset.settings["split"] for preset in load_presets()} == {
        "a b": 65,
        "a-b": 70,
        "../a/b": 75,
    }
    assert {path.parent for path in presets_root().rglob("*")} == {presets_root()}


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x1b[31mb", "two\nlines"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="1 to 60"):
        save_preset(name, {})
    assert load_presets() == []


DAMAGED = {
    "torn": b'name = "x',
    "unknown": b"colour = 3",
    "nan": b"learning_rate = nan",
    "range": b"split = 100",
    "kind": b'split = "many"',
    "twice": b"split = 70\nsplit = 80",
    "table": b"[split]\na = 1",
    "bytes": b"\xff\xfe",
    "deep": b"a = " + b"[" * 30_000,
    "large": b"#" * (MOST_BYTES + 1),
    "name": b"name = 3",
    "empty": b"",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_preset_says_so_and_hides_no_other(kind: str) -> None:
    save_preset("good", {"split": 70})
    path = presets_root() / f"{kind}.toml"
    path.write_bytes(DAMAGED[kind])
    found = {preset.name: preset for preset in load_presets()}
    assert found["good"].settings == {"split": 70}
    assert found[kind].problem and not found[kind].settings
    assert path.read_bytes() == DAMAGED[kind]


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be kept"):
        save_preset("a", {})
    assert load_presets() == []
