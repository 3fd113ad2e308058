"""The event log survives kills at any byte, and followers see every whole line once."""

from __future__ import annotations

import errno
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.runs import events as ev
from core.runs import reserve
from core.runs.log import CHUNK_BYTES, EventReader, EventWriter, read_ends
from core.runs.replay import KeepingWriter
from tests.core.test_snapshot import STARTED, TRAINING, epoch, step


def note(text: str) -> ev.Note:
    return ev.Note(level="info", text=text)


def texts(events: list[ev.AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, ev.Note)]


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    events: list[ev.Event] = [
        note("café \U0001f600 \x1b[31m"),
        ev.Step(epoch=1, step=2, loss=0.5, accuracy=1.0, learning_rate=1e-3, images_per_second=9.0),
        ev.Saved(path="/m", epoch=3),
    ]
    with EventWriter(tmp_path / "log") as log:
        for event in events:
            log.write(event, sync=True)
    assert EventReader(tmp_path / "log").read() == events


def test_a_follower_gets_each_event_once_and_never_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [ev.encode(note(f"line {i}")) + b"\n" for i in range(20)]
    whole = b"".join(lines)
    reader = EventReader(path)
    seen: list[str] = []
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(whole), 17):
            file.write(whole[start : start + 17])
            seen += texts(reader.read())
    assert seen == [f"line {i}" for i in range(20)]


def test_a_torn_last_line_is_cut_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = ev.encode(note("first")) + b"\n"
    second = ev.encode(note("second")) + b"\n"
    for cut in range(len(second)):
        path.write_bytes(first + second[:cut])
        with EventWriter(path) as log:
            log.write(note("third"))
        assert texts(EventReader(path).read()) == ["first", "third"], cut


def test_damaged_and_unknown_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(
        b'{"event":"from-the-future"}\n\xff\xfe\n{}\n{"event":"note","level":"info","text":"\xff"}\n'
        + ev.encode(note("good"))
        + b"\n"
    )
    assert texts(EventReader(path).read()) == ["good"]


def test_damage_anywhere_costs_no_whole_line(tmp_path: Path) -> None:
    """Whatever a line holds, the others are read, and it is what it is by itself."""
    damage = [
        b"",
        b"{",
        b"null",
        b'{"event":"note","level":"info",',
        b'"text":"half"}',
        ev.encode(note("two")) + ev.encode(note("on one line")),
        ev.encode(note("two")) + b"," + ev.encode(note("on one line")),
        b"[" + ev.encode(note("a list")) + b"]",
        b'{"event":"step","loss":null}',
        b"\x00" * 100,
        b"{" * 2000,
    ]
    draw = random.Random(3)
    for count in (1, 2, 9, 100):
        lines = [ev.encode(note(f"{i}")) for i in range(count)]
        for place in range(0, count + 1, max(count // 9, 1)):
            bad = draw.sample(damage, draw.randrange(1, len(damage)))
            path = tmp_path / "log"
            path.write_bytes(b"\n".join([*lines[:place], *bad, *lines[place:]]) + b"\n")
            assert texts(EventReader(path).read()) == [f"{i}" for i in range(count)], bad


def test_a_reader_knows_whether_there_is_more(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes((ev.encode(note("x" * 100)) + b"\n") * (2 * CHUNK_BYTES // 100))
    reader = EventReader(path)
    more = []
    while reader.read():
        more.append(reader.behind)
    assert more == [True] * (len(more) - 1) + [False]
    assert len(more) >= 3


def test_a_line_longer_than_a_chunk_is_no_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with EventWriter(path) as log:
        for text in ("first", "x" * 3 * CHUNK_BYTES, "last"):
            log.write(note(text))
    reader = EventReader(path)
    seen: list[str] = []
    while new := texts(reader.read()):
        seen += new
    assert [len(text) for text in seen] == [5, 3 * CHUNK_BYTES, 4]


def test_a_full_disk_ends_no_training() -> None:
    log = EventWriter(Path("/dev/full"))
    for _ in range(3):
        log.write(note("nobody hears"), sync=True)
    log.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own, of 200 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(folder)]
    if subprocess.run(line, check=False, capture_output=True).returncode:
        pytest.skip("wants root, to mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_c071_a_trainer_speaks_on_a_full_disk_and_says_that_it_is_full(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "TRY_SECONDS", 0.0)
    path, bookmark = small_disk / "run" / "events.jsonl", small_disk / "run" / "bookmark"
    path.parent.mkdir()
    with KeepingWriter(path, bookmark) as log:
        log.write(note("before"), sync=True)
        fill(small_disk)
        for number in range(300):
            log.write(note(f"{number} {'x' * 100}"), sync=True)
        told = texts(EventReader(path).read())
        (full,) = [text for text in told if "is full" in text]
        assert str(small_disk) in full and told[0] == "before"
        # One was in the middle of being written when the disk was full; all are there, in their order.
        assert [text.split()[0] for text in told[1:] if text != full] == [
            f"{n}" for n in range(300)
        ]
        (small_disk / "fill").unlink()
        log.write(note("after"))
        assert texts(EventReader(path).read())[-2:] == ["after", "the disk has room again"]
        fill(small_disk)
        for _ in range(100):
            log.write(note("x" * 100))
        assert "is full" in "".join(texts(EventReader(path).read())[-101:])
    assert sorted(file.name for file in path.parent.iterdir()) == ["events.jsonl"]


def fill(folder: Path) -> None:
    """Leave no room on the disk of `folder`."""
    with (folder / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 2**20):
            pass
    with (folder / "fill").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x"):
            pass


def test_c071_who_begins_on_a_full_disk_speaks_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "TRY_SECONDS", 0.0)
    path = small_disk / "events.jsonl"
    fill(small_disk)
    with KeepingWriter(path, small_disk / "bookmark") as log:
        log.write(note("first"))
        assert texts(EventReader(path).read()) == []
        (small_disk / "fill").unlink()
        log.write(note("second"))
        # From here on there is something to speak with, and nothing to be said of it.
        assert (small_disk / "reserve").stat().st_size == reserve.RESERVE_BYTES
    assert texts(EventReader(path).read()) == ["first", "second"]


def test_c071_room_that_was_given_is_not_looked_for_with_each_event(small_disk: Path) -> None:
    # As a quota has it: the disk says that there is room, and nothing can be had.
    held = reserve.Reserve(small_disk / "reserve")
    assert not held.give(OSError(errno.EIO, "broken"))
    assert held.give(OSError(errno.EDQUOT, "quota")) and not (small_disk / "reserve").exists()
    assert not held.take_back() and not held.give(OSError(errno.EDQUOT, "quota"))


def test_no_log_yet_is_no_error(tmp_path: Path) -> None:
    assert EventReader(tmp_path / "none").read() == []
    assert read_ends(tmp_path / "none", 100, 100) == []


def test_the_ends_of_a_long_log_are_read_without_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with EventWriter(path) as log:
        for i in range(1000):
            log.write(note(f"{i}"))
    ends = texts(read_ends(path, 500, 500))
    assert ends[0] == "0" and ends[-1] == "999" and 4 < len(ends) < 30
    assert texts(read_ends(path, 10**6, 10**6)) == [str(i) for i in range(1000)]


def test_a_torn_line_longer_than_a_chunk_is_cut_whole(tmp_path: Path) -> None:
    """A confusion matrix of a thousand classes is a line of megabytes."""
    path = tmp_path / "log"
    first = ev.encode(note("first")) + b"\n"
    for torn in (CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES):
        for before in (first, b""):
            path.write_bytes(before + ev.encode(note("x" * 4 * CHUNK_BYTES))[:torn])
            with EventWriter(path) as log:
                log.write(note("next"))
            assert texts(EventReader(path).read()) == ["first", "next"][not before :], torn


def test_an_end_of_a_log_reaches_as_far_as_it_must(tmp_path: Path) -> None:
    path = tmp_path / "log"
    failed = ev.RunFailed(run="r", title="t", hint="h")
    resumed = ev.Resumed(run="r", epoch=1, step=0)
    with EventWriter(path) as log:
        for event in (STARTED, failed, resumed, *([note("scan")] * 100), TRAINING):
            log.write(event)
        for number in (1, 2, 3):
            for _ in range(100):
                log.write(step(number * 10))
            log.write(epoch(number, 0.5, best=True))
        for number in range(31, 131):
            log.write(step(number))
    near = read_ends(path, 500, 500)
    assert [type(event) for event in near[-1:]] == [ev.Step] and TRAINING not in near
    assert near[0] == STARTED and failed not in near
    far = read_ends(path, 500, 50_000)
    assert TRAINING in far and failed not in far
    assert [e.epoch for e in far if isinstance(e, ev.EpochEnded)][-2:] == [2, 3]
    assert [e.step for e in far if isinstance(e, ev.Step)][-1:] == [130]
    assert sum(isinstance(e, ev.Step) for e in far) == 2
    assert failed in read_ends(path, 10**6, 10**6)
