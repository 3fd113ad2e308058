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


def test_epochs_come_once_and_whole(tmp_path: Path) -> None:
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
        assert found == [3] and reader.read() == []
    with path.open("ab") as file:
        file.write(b'{"event":"epoch-ended","epoch":"damaged"}\n\xff"epoch-ended"\n')
    assert reader.read() == []
