"""What a list shows of a run: the ends of its log folded into one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from core.config import TrainConfig, changed
from core.runs import events as ev
from core.runs.snapshot import LIVING, RunView, State


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of a run without reading all of its log."""

    run: str
    name: str
    data: str
    created: float
    state: State
    epoch: int
    epochs: int
    best_validation: float | None
    test: ev.Interval | None
    model: str | None
    seconds_left: float | None
    # How long it took, or has been at it; the breaks before it was resumed are left out.
    seconds: float | None = None
    # The settings that differ from the defaults.
    settings: dict[str, Any] = {}

    @property
    def alive(self) -> bool:
        return self.state in LIVING


def summary(
    path: Path,
    created: float,
    config: TrainConfig,
    events: Sequence[ev.AnyEvent],
    is_alive: Callable[[], bool],
    awaited: bool = False,
) -> RunSummary:
    """Return what there is to say of the run in the folder `path` by the first and last of its events."""
    view = RunView()
    view.apply(events)
    now = view.snapshot()
    if now.state in LIVING and not is_alive():
        now = view.snapshot(alive=False, awaited=awaited)
    epoch = now.epochs[-1] if now.epochs else None
    return RunSummary(
        run=str(path),
        name=path.name,
        data=config.data,
        created=created,
        state=now.state,
        epoch=now.epoch,
        epochs=config.epochs,
        best_validation=epoch.best_accuracy if epoch else None,
        test=now.ended.test if now.ended else None,
        model=now.ended.model if now.ended else None,
        seconds_left=now.seconds_left,
        seconds=now.ended.seconds if now.ended else _worked(events),
        settings=changed(config),
    )


def _worked(events: Sequence[ev.AnyEvent]) -> float | None:
    """Return the time from the first to the last of `events` without the breaks, None without events."""
    if not events:
        return None
    breaks = (
        after.time - before.time
        for before, after in pairwise(events)
        if isinstance(after, ev.Resumed)
    )
    return events[-1].time - events[0].time - sum(breaks)
