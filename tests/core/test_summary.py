"""A list tells of a run what its whole log would, from the two ends of it."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.config import TrainConfig
from core.runs import events as ev
from core.runs.folder import END_BYTES, RunFolder
from core.runs.summary import RunSummary
from tests.core.test_resumable import FAILED, ended
from tests.core.test_snapshot import STARTED, TRAINING, epoch, step

# More steps than an end of a log that is read at once has room for.
MANY = 2 * END_BYTES // 150
LONG = replace(TRAINING, steps_per_epoch=4 * MANY)


def long_epoch(first: int, began: float) -> list[ev.AnyEvent]:
    """Return the first half of a long epoch, a step a second."""
    return [replace(step(first + i, time=began + 1.0 + i), epoch=1) for i in range(2 * MANY)]


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))


def living(*events: ev.Event) -> RunSummary:
    run = RunFolder.create(TrainConfig(data="/data", epochs=4))
    with run.lock(), run.writer() as log:
        for event in events:
            log.write(event)
        return run.summary()


def test_an_epoch_may_be_longer_than_what_is_read_at_once() -> None:
    """The accuracy of the epoch before it is told all along."""
    before = [*long_epoch(1, 110.0), replace(epoch(1, 0.7, True), step=2 * MANY)]
    now = living(STARTED, LONG, *before, *long_epoch(2 * MANY + 1, 110.0 + 2 * MANY))
    assert now.best_validation == 0.7 and now.state == "training"


def test_a_break_is_no_part_of_the_time_left_nor_of_the_time_it_took() -> None:
    """Killed, and resumed a day later: also where that lies far back in the log."""
    began = 86_400.0
    resumed = ev.Resumed(time=began, run="r", epoch=1, step=2 * MANY)
    again = [replace(STARTED, time=began), replace(LONG, time=began)]
    new = long_epoch(2 * MANY + 1, began)
    now = living(STARTED, LONG, *long_epoch(1, 110.0), resumed, *again, *new)
    steps_left = 16 * MANY - 4 * MANY
    assert now.seconds_left == pytest.approx(steps_left, rel=0.01)
    assert now.seconds == pytest.approx(10 + 4 * MANY, rel=0.01)


def test_a_run_that_goes_on_after_its_end_is_not_taken_for_ended() -> None:
    """Whatever of that end lies where the first part of the log is cut."""
    steps = long_epoch(1, 110.0)
    sizes = accumulate(len(ev.encode(event)) + 1 for event in (STARTED, LONG, *steps))
    cuts = [i - 2 for i, size in enumerate(sizes, 1) if -800 < size - END_BYTES < 0]
    for at in cuts:
        early = [FAILED, ev.Resumed(run="r", epoch=1, step=at), STARTED, LONG]
        assert living(STARTED, LONG, *steps[:at], *early, *steps[at:]).state == "training"
    assert len(cuts) > 2


def test_a_run_that_has_ended_says_itself_how_long_it_took() -> None:
    now = living(STARTED, TRAINING, step(1), replace(ended(4), time=1e6, seconds=77.0))
    assert now.state == "finished" and now.seconds == 77.0
