"""A bookmark in a log changes nothing but how soon the log is folded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from core.config import TrainConfig
from core.engine import Engine, Sight
from core.runs import events as ev
from core.runs import replay as replaying
from core.runs.folder import RunFolder
from core.runs.log import EventReader
from core.runs.replay import KeepingWriter, Replay, read_bookmark
from core.runs.snapshot import RunView

BROKEN = [
    b"",
    b"{",
    b'{"event":"from-the-future","time":1}',
    b'{"event":"step","time":1,"epoch":1,"step":1,"loss":NaN,"accuracy":1}',
    b'{"event":"step","loss":null}',
    b"\xff\xfe\x00",
]


def step(at: int, draw: random.Random) -> ev.Step:
    return ev.Step(
        time=float(at),
        epoch=at // 50 + 1,
        step=at,
        loss=draw.choice([draw.gauss(1, 1), 1e308, -1e308]),
        accuracy=draw.random(),
        learning_rate=0.01,
        images_per_second=100,
        waiting=draw.random(),
    )


def epoch(at: int, draw: random.Random) -> ev.EpochEnded:
    return ev.EpochEnded(
        time=float(at),
        epoch=at // 50 + 1,
        step=at,
        loss=1.0,
        accuracy=0.5,
        validation_loss=draw.random(),
        validation_accuracy=draw.random(),
        images_per_second=10,
        seconds=5.0,
        best=draw.random() < 0.5,
        best_accuracy=0.5,
        probes=[ev.Probe("a.png", "happy", "sad", 0.5)],
    )


def lines(draw: random.Random, length: int) -> Iterator[bytes]:
    """Yield the lines of a run that trains, is damaged, pauses, fails, and is resumed."""
    training = ev.TrainingStarted(
        time=0.0,
        image_size=64,
        batch_size=8,
        steps_per_epoch=50,
        learning_rate=0.01,
        parameters=9,
        tier="memory",
    )
    yield ev.encode(training)
    at = 0
    for _ in range(length):
        at += 1
        chance = draw.random()
        event: ev.Event = step(at, draw)
        if chance < 0.03:
            yield draw.choice(BROKEN)
        elif chance < 0.05:
            event = epoch(at, draw)
        elif chance < 0.06:
            event = ev.Note(time=float(at), level=draw.choice(["warning", "error"]), text=f"{at}")
        elif chance < 0.07:
            event = draw.choice([ev.Paused(time=at), ev.Continued(time=at, seconds=0.5)])
        elif chance < 0.075:
            event = ev.Checkpointed(time=at, epoch=1, step=at, seconds=1, cost=0, at_risk=60)
        elif chance < 0.08:
            yield ev.encode(ev.RunFailed(time=at, run="r", title="failed", hint=""))
            yield ev.encode(
                ev.Resumed(time=at, run="r", epoch=max(at // 2, 1) // 50 + 1, step=at // 2)
            )
            at //= 2
            event = training
        yield ev.encode(event)


def folded(log: Path) -> RunView:
    """Return what the log adds up to, read from its start."""
    view, reader = RunView(), EventReader(log)
    while events := reader.read():
        view.apply(events)
    return view


def words(view: RunView) -> str:
    """Return all that a view holds, in a form in which what is no number is equal to itself."""
    return repr(msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=RunView))


@pytest.mark.parametrize("seed", range(12))
def test_from_a_bookmark_on_it_is_as_from_the_start(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    log, bookmark = tmp_path / "log", tmp_path / "bookmark"
    data = b"\n".join(lines(draw, draw.choice([10, 300, 9000]))) + b"\n"
    ends = sorted(draw.randrange(len(data)) for _ in range(3))
    for start, end in zip([0, *ends], [*ends, len(data)], strict=True):
        # Half a line may be the last that there is.
        with log.open("ab") as file:
            file.write(data[start:end])
        replay = Replay(log, bookmark)
        assert (read_bookmark(bookmark, log) is None) == (start == 0)
        while replay.read():
            pass
        assert words(replay.view) == words(folded(log))
        assert replay.view.snapshot().log == folded(log).snapshot().log
        replay.keep()


def kept(tmp_path: Path) -> tuple[Path, Path]:
    """Return a log and the bookmark at its end."""
    log, bookmark = tmp_path / "log", tmp_path / "bookmark"
    log.write_bytes(b"\n".join(lines(random.Random(1), 500)) + b"\n")
    replay = Replay(log, bookmark)
    replay.read()
    replay.keep()
    assert read_bookmark(bookmark, log) is not None
    return log, bookmark


def test_a_damaged_bookmark_counts_for_nothing(tmp_path: Path) -> None:
    log, bookmark = kept(tmp_path)
    whole = bookmark.read_bytes()
    for place in range(0, len(whole), 997):
        for damaged in (
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        ):
            bookmark.write_bytes(damaged)
            assert read_bookmark(bookmark, log) is None
    replay = Replay(log, bookmark)
    replay.read()
    assert words(replay.view) == words(folded(log))


def test_a_bookmark_of_another_log_or_of_other_code_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, bookmark = kept(tmp_path)
    data = log.read_bytes()
    log.write_bytes(data[:-9] + b"x" * 8 + b"\n")
    assert read_bookmark(bookmark, log) is None
    # A log that was cut, and one that has grown.
    log.write_bytes(data[:-1000])
    assert read_bookmark(bookmark, log) is None
    log.write_bytes(data + data)
    assert read_bookmark(bookmark, log) is not None
    log.unlink()
    assert read_bookmark(bookmark, log) is None
    log.write_bytes(data)
    monkeypatch.setattr(replaying, "_code", lambda: b"another version")
    assert read_bookmark(bookmark, log) is None


def test_a_trainer_lays_bookmarks_as_its_log_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "KEEP_BYTES", 20_000)
    log, bookmark = tmp_path / "log", tmp_path / "bookmark"
    draw = random.Random(0)
    # A trainer that takes over goes on from the bookmark of the one before.
    for first in (1, 501):
        with KeepingWriter(log, bookmark) as writer:
            for at in range(first, first + 500):
                writer.write(step(at, draw))
        found = read_bookmark(bookmark, log)
        assert found is not None
        assert log.stat().st_size - found.offset < 20_000
    replay = Replay(log, bookmark)
    assert replay.read()
    assert words(replay.view) == words(folded(log))


def test_a_bookmark_that_cannot_be_written_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "KEEP_BYTES", 1)
    with KeepingWriter(tmp_path / "log", tmp_path / "none" / "bookmark") as writer:
        for at in range(1, 4):
            writer.write(step(at, random.Random(0)))
    assert folded(tmp_path / "log").snapshot().steps_done == 3


async def test_who_watches_sees_all_of_a_run_to_its_end(tmp_path: Path) -> None:
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    draw = random.Random(0)
    with run.lock(), run.writer() as writer:
        writer.write(step(1, draw))
        seen: list[Sight] = []
        async for sight in Engine().watch(run):
            seen.append(sight)
            if len(seen) == 1:
                writer.write(step(2, draw))
                writer.write(ev.RunFailed(run="r", title="full", hint=""))
    assert [sight.snapshot.steps_done for sight in seen] == [1, 2]
    assert [sight.alive for sight in seen] == [True, False]
    # Nobody trains it any more.
    *_, last = [sight async for sight in Engine().watch(run)]
    assert last.snapshot.state == "failed" and not last.behind
