"""Epochs are found among however many steps, once each, as they come."""

from __future__ import annotations

from pathlib import Path

from core.runs import epochs
from core.runs import events as ev
from core.runs.epochs import EpochReader
from core.runs.log import EventWriter


def step(number: int) -> ev.Step:
    return ev.Step(
        epoch=1, step=number, loss=0.5, accuracy=1.0, learning_rate=1e-3, images_per_second=9.0
    )


def epoch(number: int) -> ev.EpochEnded:
    return ev.EpochEnded(
        epoch=number,
        step=number,
        loss=0.5,
        accuracy=0.5,
        validation_loss=0.5,
        validation_accuracy=0.5,
        images_per_second=9.0,
        seconds=1.0,
        best=True,
        best_accuracy=0.5,
    )


def test_epochs_are_found_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = EpochReader(path)
    assert reader.read() == []
    with EventWriter(path) as log:
        log.write(epoch(1))
        for number in range(2 * epochs.CHUNK_BYTES // 150):
            log.write(step(number))
        log.write(ev.Note(level="info", text='a name "epoch-ended"'))
        log.write(epoch(2))
        assert [one.epoch for one in reader.read()] == [1, 2]
        line = ev.encode(epoch(3)) + b"\n"
        for part in (line[:40], line[40:]):
            with path.open("ab") as file:
                file.write(part)
            found = [one.epoch for one in reader.read()]
        assert found == [1, 2, 3]
    with path.open("ab") as file:
        file.write(b'{"event":"epoch-ended","epoch":"damaged"}\n\xff"epoch-ended"\n')
    assert [one.epoch for one in reader.read()] == [1, 2, 3]


def test_a_line_longer_than_a_piece_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with EventWriter(path) as log:
        log.write(epoch(1))
        log.write(ev.Note(level="info", text="x" * 3 * epochs.CHUNK_BYTES))
        log.write(epoch(2))
    assert [one.epoch for one in EpochReader(path).read()] == [1, 2]


def test_a_run_that_is_resumed_has_each_epoch_once(tmp_path: Path) -> None:
    """Also where it was killed in the middle of a line, which the next trainer cuts off."""
    path = tmp_path / "log"
    reader = EpochReader(path)
    with EventWriter(path) as log:
        for number in (1, 2, 3):
            log.write(epoch(number))
    with path.open("ab") as file:
        file.write(ev.encode(epoch(4))[:150])
    assert [one.epoch for one in reader.read()] == [1, 2, 3]
    with EventWriter(path) as log:
        log.write(ev.Resumed(run="r", epoch=3, step=2))
        assert [one.epoch for one in reader.read()] == [1, 2]
        log.write(epoch(3))
    assert [one.epoch for one in reader.read()] == [1, 2, 3]
