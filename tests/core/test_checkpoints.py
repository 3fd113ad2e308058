"""Checkpoints on disk: whole or not there, and a damaged one is never gone on from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from core.errors import RunFailedError, UserError
from core.runs import events as ev
from core.runs.checkpoints import Checkpoint, Checkpoints
from core.runs.folder import RunFolder
from core.worker import _train


def write(store: Checkpoints, step: int, best: bytes = b"best", unchanged: bool = False) -> None:
    state = [b"state of ", f"step {step}".encode()]
    names = ["best"] if unchanged else []
    store.write(1, step, b'{"n":1.5}', {"state": state, "best": [best]}, unchanged=names)


def newest(folder: Path) -> Checkpoint:
    found = Checkpoints(folder).newest()
    assert found is not None
    return found


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(Checkpoints(tmp_path / "c"), 7)
    assert newest(tmp_path / "c") == Checkpoint(
        epoch=1, step=7, numbers=b'{"n":1.5}', files={"state": b"state of step 7", "best": b"best"}
    )


def test_the_last_two_are_kept_and_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        write(store, step, unchanged=step > 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000002", "000003"]
    assert (tmp_path / "000003" / "best").stat().st_ino == (
        tmp_path / "000002" / "best"
    ).stat().st_ino
    assert newest(tmp_path).files["best"] == b"best"


def test_without_links_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "not here")

    monkeypatch.setattr(os, "link", refuse)
    store = Checkpoints(tmp_path)
    write(store, 1)
    write(store, 2, unchanged=True)
    assert newest(tmp_path).files["best"] == b"best"


def flips(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in sorted(folder.iterdir()):
        yield from ((path, bit) for bit in range(0, 8 * path.stat().st_size, 37))


def test_c057_any_flipped_bit_is_found_and_the_one_before_is_taken(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    write(store, 1)
    write(store, 2)
    for path, bit in flips(tmp_path / "000002"):
        intact = path.read_bytes()
        data = bytearray(intact)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        reader = Checkpoints(tmp_path)
        found = reader.newest()
        # A flip in the manifest that leaves its meaning as it is would be no damage.
        assert found is not None and found.step == 1 and reader.damaged == 1, (path.name, bit)
        path.write_bytes(intact)


@pytest.mark.parametrize("name", ["state", "best", "manifest.json"])
def test_a_checkpoint_with_a_file_cut_or_gone_is_none(tmp_path: Path, name: str) -> None:
    store = Checkpoints(tmp_path)
    write(store, 1)
    write(store, 2)
    path = tmp_path / "000002" / name
    path.write_bytes(path.read_bytes()[:-1])
    assert newest(tmp_path).step == 1
    path.unlink()
    assert newest(tmp_path).step == 1


def test_going_on_from_an_older_one_the_damaged_one_makes_room(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    write(store, 1)
    write(store, 2)
    (tmp_path / "000002" / "state").write_bytes(b"damaged")
    again = Checkpoints(tmp_path)
    assert again.newest() is not None
    write(again, 3, unchanged=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001", "000003"]
    (tmp_path / "000003" / "state").write_bytes(b"damaged")
    assert newest(tmp_path).step == 1


def test_c066_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    write(store, 1)
    (tmp_path / ".000002").mkdir()
    (tmp_path / ".000002" / "state").write_bytes(b"half")
    again = Checkpoints(tmp_path)
    assert again.newest() is not None
    write(again, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001", "000002"]


@pytest.mark.parametrize("kept", [0, 1])
def test_a_run_that_is_over_keeps_what_it_is_told(tmp_path: Path, kept: int) -> None:
    store = Checkpoints(tmp_path / "c")
    assert not store.exist() and store.newest() is None
    write(store, 1)
    write(store, 2)
    store.thin(kept)
    assert store.exist() == bool(kept)
    assert (tmp_path / "c").exists() == bool(kept)


@pytest.mark.parametrize(
    ("damage", "said"),
    [("flip", "is damaged"), ("format", "is of format 9"), ("unreadable", "cannot be read")],
)
def test_a_run_none_of_whose_checkpoints_can_be_used_does_not_begin_anew(
    tmp_path: Path, damage: str, said: str
) -> None:
    """What another version or another day can still read stays as it is."""
    run = RunFolder(tmp_path)
    write(run.checkpoints(), 7)
    path = tmp_path / "checkpoints" / "000001" / "manifest.json"
    if damage == "flip":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "format":
        manifest = msgspec.json.encode({"format": 9, "shards": 4})
        sealed = {"blake2b": blake2b(manifest).hexdigest(), "manifest": msgspec.Raw(manifest)}
        path.write_bytes(msgspec.json.encode(sealed))
    else:
        path.unlink()
        path.mkdir()
    heard: list[ev.Event] = []

    def never(error: UserError) -> None:
        raise AssertionError

    with pytest.raises(RunFailedError, match=said):
        _train(run, True, heard.append, never, None)
    assert heard == [] and path.exists()
