"""Decoded pictures: complete, honest about what was left out, and found again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset import cache, decoders
from core.dataset import pixels as px
from core.dataset.folder import scan
from core.dataset.intake import Plan, deal, take_in
from core.errors import UserError
from tests.core.conftest import picture, write_dataset


@pytest.fixture(autouse=True)
def settled_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files that were written a moment ago count as settled."""
    monkeypatch.setattr(cache, "RACY_NS", 0)


def prepared(data: Path, size: int = 64) -> px.Pictures:
    return px.prepare(scan(data), size, lambda done, total: None)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which files are decoded."""
    paths: list[str] = []
    decode = decoders.Decoders.decode

    def noting(
        self: decoders.Decoders, files: list[tuple[str, int]], size: int
    ) -> Iterator[decoders.Decoded]:
        paths.extend(path for path, _ in files)
        return decode(self, files, size)

    monkeypatch.setattr(decoders.Decoders, "decode", noting)
    return paths


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


def test_a_second_time_nothing_is_decoded(dataset: Path, read: list[str]) -> None:
    (dataset / "high" / "broken.jpg").write_bytes(b"nothing")
    first = prepared(dataset)
    read.clear()
    second = prepared(dataset)
    assert read == []
    assert (first.pixels == second.pixels).all() and first.members == second.members
    assert first.left_out == second.left_out and first.near == second.near


def test_only_what_changed_is_read_again(dataset: Path, read: list[str]) -> None:
    before = prepared(dataset)
    old = np.array(before.pixels)
    read.clear()
    changed, added = dataset / "high" / "000.png", dataset / "high" / "zebra.png"
    picture(1, seed=99).save(changed)
    picture(0, seed=98).save(added)
    (dataset / "low" / "007.png").unlink()
    store = prepared(dataset)
    assert read == ["high/000.png", "high/zebra.png"]
    rows = {member.path: row for row, member in enumerate(store.members)}
    assert len(rows) == 16 and "low/007.png" not in rows
    for path in (changed, added):
        wanted = np.asarray(Image.open(path)).transpose(2, 0, 1)
        assert (store.pixels[rows[f"high/{path.name}"]] == wanted).all()
    for row, member in enumerate(before.members):
        if member.path not in ("high/000.png", "low/007.png"):
            assert (store.pixels[rows[member.path]] == old[row]).all()


def test_another_class_moves_the_labels_of_known_files(dataset: Path, read: list[str]) -> None:
    prepared(dataset)
    read.clear()
    (dataset / "first").mkdir()
    for i in range(3):
        picture(0, seed=200 + i).save(dataset / "first" / f"{i}.png")
    store = prepared(dataset)
    assert read == ["first/0.png", "first/1.png", "first/2.png"]
    assert all(
        m.label == ["first", "high", "low"].index(m.path.split("/")[0]) for m in store.members
    )


def test_pixels_are_keyed_by_content(dataset: Path, tmp_path: Path) -> None:
    first = prepared(dataset)
    dataset.rename(tmp_path / "moved")
    assert prepared(tmp_path / "moved").index.pixels == first.index.pixels


def test_small_pictures_are_read_once_for_all_sizes_of_training(
    dataset: Path, read: list[str]
) -> None:
    first = prepared(dataset, 224)
    read.clear()
    second = prepared(dataset, 64)
    assert read == [] and second.index.pixels == first.index.pixels
    assert prepared(dataset, 64).members == first.members


def test_large_pictures_are_read_again_for_another_size(tmp_path: Path, read: list[str]) -> None:
    data = write_dataset(tmp_path / "large", per_class=3, size=300)
    assert prepared(data, 224).stored_size == 256
    read.clear()
    assert prepared(data, 64).stored_size == 80
    assert len(read) == 6


def test_a_few_large_pictures_do_not_enlarge_all_others(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "mixed", per_class=40, size=48)
    picture(0, seed=1, size=400).save(data / "high" / "large.png")
    assert prepared(data, 224).stored_size == 48


def test_a_colour_picture_that_leaves_makes_a_gray_set_gray(dataset: Path) -> None:
    paths = sorted(dataset.rglob("*.png"))
    for path in paths[:-1]:
        Image.open(path).convert("L").save(path)
    assert prepared(dataset).channels == 3
    paths[-1].unlink()
    store = prepared(dataset)
    assert store.channels == 1
    assert (store.pixels[3, 0] == np.asarray(Image.open(paths[3]))).all()


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
    monkeypatch.setattr(decoders, "_decode_chunk", _crash_on_003)
    store = prepared(dataset)
    assert [(f.path, f.reason) for f in store.left_out] == [
        ("high/003.png", "stops the decoder"),
        ("low/003.png", "stops the decoder"),
    ]
    assert len(store.members) == 14


def _crash_on_003(files: list[tuple[str, int]], root: str, size: int) -> list[decoders.Decoded]:
    if any(path.endswith("003.png") for path, _ in files):
        os.abort()
    chunk = [decoders.decode_file(root, file, size) for file in files]
    return [decoders.Decoded(a, p.tobytes(), bytes(292)) for a, p in chunk if p is not None]


@pytest.mark.parametrize("suffix", ["pixels", "index"])
@pytest.mark.parametrize("length", [0, 10])
def test_damaged_files_in_the_cache_are_made_anew(dataset: Path, suffix: str, length: int) -> None:
    first = np.array(prepared(dataset).pixels)
    for path in cache.cache_root().glob(f"*.{suffix}"):
        os.truncate(path, length)
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
    found = scan(tmp_path)
    with pytest.raises(UserError, match="None of the 6 pictures"):
        deal(found, prepared(tmp_path), Plan(split=80, seed=0))


def test_the_cache_drops_the_longest_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Room for the pixels of two of these sets.
    monkeypatch.setenv("ALEXNET_TUI_CACHE_GB", "0.00022")
    sets = []
    for i in range(3):
        data = write_dataset(tmp_path / str(i), per_class=4, size=64 - i)
        sets.append(cache.pixels_path(prepared(data).index))
        os.utime(sets[-1], (i, i))
    assert [path.exists() for path in sets] == [False, True, True]


def test_c057_a_bit_that_flipped_in_the_cache_is_not_trained_on(dataset: Path) -> None:
    store = prepared(dataset)
    first, path = np.array(store.pixels), cache.pixels_path(store.index)
    data = bytearray(path.read_bytes())
    data[1000] ^= 4
    path.write_bytes(data)
    quiet = [lambda *_: None] * 2
    taken = take_in(dataset, 64, Plan(split=80, seed=0), *quiet)
    assert (taken.pictures.pixels == first).all()


def test_c057_a_bit_that_flipped_is_not_taken_over_into_new_pixels(dataset: Path) -> None:
    store = prepared(dataset)
    first, path = np.array(store.pixels), cache.pixels_path(store.index)
    data = bytearray(path.read_bytes())
    data[1000] ^= 4
    path.write_bytes(data)
    picture(0, seed=98).save(dataset / "low" / "zebra.png")
    assert (prepared(dataset).pixels[: len(first)] == first).all()


def test_what_a_killed_writer_left_is_swept(dataset: Path) -> None:
    prepared(dataset)
    left = cache.cache_root() / ".new.pixels.tmp-999999999-1"
    left.write_bytes(b"half")
    (cache.cache_root() / "of-an-older-version").mkdir()
    prepared(dataset)
    assert {path.suffix for path in cache.cache_root().iterdir()} == {".index", ".pixels"}


def test_a_file_written_while_it_was_read_is_not_trusted(
    dataset: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "RACY_NS", 3600 * 10**9)
    prepared(dataset)
    read.clear()
    prepared(dataset)
    assert len(read) == 16
