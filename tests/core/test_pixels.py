"""Decoded pictures: complete, honest about what was left out, and found again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset import pixels as px
from core.dataset.folder import scan
from core.errors import UserError
from tests.core.conftest import picture, write_dataset


def prepared(data: Path, size: int = 64) -> px.PixelStore:
    return px.prepare(scan(data), size, lambda done, total: None)


def state_of(folder: Path) -> list[tuple[str, int, int, bytes]]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [(str(p), p.stat().st_mtime_ns, p.stat().st_size, p.read_bytes()) for p in files]


def test_pictures_come_back_in_order_and_the_data_is_untouched(dataset: Path) -> None:
    before = state_of(dataset)
    store = prepared(dataset)
    assert store.pixels.shape == (16, 3, 64, 64)
    for row, member in zip(store.pixels, store.members, strict=True):
        wanted = np.asarray(Image.open(dataset / member.path)).transpose(2, 0, 1)
        assert (row == wanted).all()
    assert state_of(dataset) == before


def test_a_gray_set_is_stored_in_one_channel_and_never_upscaled(dataset: Path) -> None:
    for path in dataset.rglob("*.png"):
        Image.open(path).convert("L").resize((48, 48)).save(path)
    assert prepared(dataset, 224).pixels.shape == (16, 1, 48, 48)


def test_one_late_colour_picture_makes_all_of_them_colour(dataset: Path) -> None:
    paths = sorted(dataset.rglob("*.png"))
    for path in paths[:-1]:
        Image.open(path).convert("L").save(path)
    store = prepared(dataset)
    assert store.channels == 3
    assert (store.pixels[0, 0] == np.asarray(Image.open(paths[0]))).all()
    assert (store.pixels[0, 0] == store.pixels[0, 2]).all()
    assert (store.pixels[-1, 0] != store.pixels[-1, 2]).any()


def test_a_second_time_nothing_is_decoded(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared(dataset)

    def forbidden(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(px, "_decode_into", forbidden)
    second = prepared(dataset)
    assert (first.pixels == second.pixels).all() and first.members == second.members


def test_a_changed_file_is_decoded_anew(dataset: Path) -> None:
    prepared(dataset)
    changed = dataset / "high" / "000.png"
    picture(1, seed=99).save(changed)
    store = prepared(dataset)
    assert (store.pixels[0] == np.asarray(Image.open(changed)).transpose(2, 0, 1)).all()


def test_c014_unreadable_files_are_named_with_their_reason(dataset: Path) -> None:
    (dataset / "high" / "empty.jpg").write_bytes(b"")
    (dataset / "high" / "page.jpg").write_bytes(b"<html>")
    (dataset / "low" / os.fsdecode(b"cut\xff.png")).write_bytes(
        (dataset / "high" / "000.png").read_bytes()[:200]
    )
    renamed = dataset / "low" / "really-png.jpg"
    renamed.write_bytes((dataset / "high" / "001.png").read_bytes())
    store = prepared(dataset)
    reasons = {file.path: file.reason for file in store.left_out}
    assert set(reasons) == {"high/empty.jpg", "high/page.jpg", "low/cut\\xff.png"}
    assert "empty" in reasons["high/empty.jpg"] and "web page" in reasons["high/page.jpg"]
    assert any(member.path == "low/really-png.jpg" for member in store.members)


def test_c028_a_picture_that_kills_the_decoder_is_left_out_by_name(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(px, "_decode_chunk", _crash_on_003)
    store = prepared(dataset)
    assert [(f.path, f.reason) for f in store.left_out] == [
        ("high/003.png", "stops the decoder"),
        ("low/003.png", "stops the decoder"),
    ]
    assert len(store.members) == 14


def _crash_on_003(root: Path, paths: list[str], size: int) -> list[px.Decoded]:
    if any(path.endswith("003.png") for path in paths):
        os.abort()
    return [px.decode_file(root / path, size) for path in paths]


def test_damaged_pixels_in_the_cache_are_made_anew(dataset: Path) -> None:
    first = np.array(prepared(dataset).pixels)
    for path in px.cache_root().glob("*/pixels.bin"):
        os.truncate(path, 10)
    assert (prepared(dataset).pixels == first).all()
    assert (prepared(dataset).pixels == first).all()


def test_copies_have_the_same_digest(dataset: Path) -> None:
    (dataset / "high" / "copy.png").write_bytes((dataset / "high" / "000.png").read_bytes())
    members = {member.path: member.digest for member in prepared(dataset).members}
    assert members["high/copy.png"] == members["high/000.png"] != members["high/001.png"]


def test_a_folder_of_nothing_but_broken_files_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.jpg").write_bytes(b"nothing")
    with pytest.raises(UserError, match="None of the 6 pictures"):
        prepared(tmp_path)


def test_the_cache_drops_the_longest_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ALEXNET_TUI_CACHE_GB", "0.00015")
    data = [write_dataset(tmp_path / str(i), per_class=4) for i in range(3)]
    for folder in data[:2]:
        prepared(folder)
    old, new = sorted(px.cache_root().iterdir(), key=lambda path: path.stat().st_mtime)
    prepared(data[2])
    assert not old.exists() and new.exists()
