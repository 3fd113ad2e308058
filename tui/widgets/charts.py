"""The charts of a run: loss and accuracy over one x axis, with one zoom and one crosshair for both."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from core.runs.curve import Bucket
from core.runs.snapshot import LIVING, Snapshot
from tui.curves import Along, Ruler, Smoothing, View, accuracy_curves, loss_curves, ruler, x_limit
from tui.growing import Memory
from tui.widgets.chart import Chart, Cursor, Series

ALONG: tuple[Along, ...] = ("epoch", "step", "time")
SMOOTHING: tuple[Smoothing, ...] = ("usual", "strong", "none")
ZOOM = 2.0
# No window is smaller than so many points of the finest curve.
LEAST_POINTS = 8
# The axis beside a canvas takes about so many columns.
GUTTER = 9
Make = Callable[[], Sequence[Series]]
CURVES = (loss_curves, accuracy_curves)
_STEP = attrgetter("step")


class Charts(Horizontal):
    """Draws the newest snapshot every other second; keys change how, at once.

    The crosshair and the window are kept in steps, so that they stay where they are when the x
    axis is switched. Without a window the charts follow the run.
    """

    SECONDS: ClassVar[float] = 2.0
    # So many times as long what no eye could tell apart waits.
    PATIENCE: ClassVar[int] = 4

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.along: Along = "epoch"
        self.smoothing: Smoothing = "usual"
        self.window: tuple[float, float] | None = None
        self.crosshair: float | None = None
        self._now = Snapshot()
        self._drawn: tuple[int, int, bool] | None = None
        self._drawn_at = float("-inf")
        self._next: Timer | None = None
        self._due = float("inf")
        self._memory = Memory()
        # Of what was drawn last, and how it was looked at: the loss first.
        self._shown = Snapshot()
        self._made: dict[View, list[Make]] = {}

    def compose(self) -> ComposeResult:
        yield Chart("loss", id="loss")
        yield Chart("accuracy", percent=True, id="accuracy")

    def show(self, now: Snapshot, at_once: bool = False) -> None:
        """Draw the curves of `now` if they have grown: `at_once`, or when the last drawing is old enough."""
        self._now = now
        grown = (now.steps_done, len(now.epochs), now.state in LIVING)
        if grown == self._drawn or not (now.losses or now.validation_losses):
            return
        seconds = self.SECONDS if self._moved(now) else self.PATIENCE * self.SECONDS
        due = self._drawn_at + (0.0 if at_once else seconds)
        wait = due - time.monotonic()
        if wait <= 0:
            self._draw()
        elif self._next is None or due < self._due:
            if self._next is not None:
                self._next.stop()
            self._next, self._due = self.set_timer(wait, self._draw), due

    def _moved(self, now: Snapshot) -> bool:
        """Tell whether the curves have grown by half a column of the canvas since, or by an epoch."""
        if self._drawn is None or (len(now.epochs), now.state in LIVING) != self._drawn[1:]:
            return True
        # One that goes on from a checkpoint may have fewer than before.
        return abs(now.steps_done - self._drawn[0]) * 2 * self._columns >= now.steps_done

    def _draw(self) -> None:
        """Draw the newest snapshot."""
        now = self._shown = self._now
        if self._next is not None:
            self._next.stop()
            self._next = None
        self._drawn = (now.steps_done, len(now.epochs), now.state in LIVING)
        self._drawn_at = time.monotonic()
        self._made.clear()
        self._look(for_key=False)

    def _look(self, for_key: bool = True) -> None:
        """Look as chosen at the snapshot that was drawn last: much of that may be at hand."""
        now = self._shown
        axis = ruler(now, self.along)
        view = View(along=self.along, window=self.window, smoothing=self.smoothing)
        label, x_range = axis.unit, None
        if self.window is not None:
            x_range = axis.of(self.window[0]), axis.of(self.window[1])
            label = f"{label} ×{self._newest / (self.window[1] - self.window[0]):.0f}"
        cursor = self._cursor(axis)
        if view not in self._made:
            self._made[view] = [cache(partial(make, now, view, self._memory)) for make in CURVES]
        for chart, curves in zip(self.query(Chart), self._made[view], strict=True):
            chart.show(curves, label, x_limit(now, axis), x_range, cursor, for_key)

    def _cursor(self, axis: Ruler) -> Cursor | None:
        step = self.crosshair
        if step is None:
            return None
        x = axis.of(step)
        where = f"step {step:,.0f}"
        if axis.unit == "epoch":
            where = f"epoch {x:,.4g}, {where}"
        elif axis.times:
            where = f"{x:,.4g} {axis.unit}, {where}"
        return Cursor(x, where)

    def log_scale(self) -> None:
        """Draw the loss on a logarithmic axis, or not."""
        chart = self.query_one("#loss", Chart)
        chart.log_scale = not chart.log_scale

    def next_axis(self) -> None:
        """Draw along epochs, steps or time."""
        self.along = ALONG[(ALONG.index(self.along) + 1) % len(ALONG)]
        self._look()

    def next_smoothing(self) -> None:
        """Smooth as usual, more, or not at all."""
        self.smoothing = SMOOTHING[(SMOOTHING.index(self.smoothing) + 1) % len(SMOOTHING)]
        self._look()

    def whole(self) -> None:
        """Show the whole run again, without the crosshair."""
        self.window = self.crosshair = None
        self._look()

    def zoom(self, factor: float) -> None:
        """Show `factor` times as much of the run as now, around the crosshair."""
        newest = self._newest
        if not newest:
            return
        low, high = self.window or (0.0, newest)
        about = self.crosshair if self.crosshair is not None else self._last_stop(high)
        width = (high - low) * factor
        if factor < 1 and width < LEAST_POINTS * newest / max(map(len, self._curves)):
            return
        self.crosshair = about
        if width >= newest:
            self.window = None
        else:
            self._look_at(about - (about - low) * factor, width)
        self._look()

    def move(self, columns: int) -> None:
        """Move the crosshair to the next point some columns on; at an edge the window goes with it."""
        newest = self._newest
        if not newest:
            return
        low, high = self.window or (0.0, newest)
        if self.crosshair is None:
            self.crosshair = self._last_stop(high)
        else:
            column = (high - low) / self._columns
            self.crosshair = self._stop(self.crosshair, column, columns)
        if self.window is not None and not low <= self.crosshair <= high:
            ahead = 0.25 if columns < 0 else 0.75
            self._look_at(self.crosshair - ahead * (high - low), high - low)
        self._look()

    def _look_at(self, low: float, width: float) -> None:
        """Make a window of `width` steps from `low` on, or as near to it as the run allows."""
        low = min(max(low, 0.0), self._newest - width)
        self.window = (low, low + width)

    def _stop(self, start: float, column: float, columns: int) -> float:
        """Return the point `columns` from `start`; that of an epoch where the column has one."""
        forward = columns > 0
        target = start + columns * column
        for curve in self._curves:
            near = min(_around(curve, target), key=lambda step: abs(step - target), default=start)
            if abs(near - target) <= column / 2 and (near > start) == forward and near != start:
                return near
        steps = [step for curve in self._curves for step in _around(curve, target)]
        if forward:
            return min((step for step in steps if step >= target), default=self._newest)
        return max((step for step in steps if step <= target), default=min(steps))

    def _last_stop(self, most: float) -> float:
        """Return the last point that is not beyond `most`."""
        steps = [step for curve in self._curves for step in _around(curve, most)]
        return max((step for step in steps if step <= most), default=min(steps))

    @property
    def _curves(self) -> tuple[Sequence[Bucket], ...]:
        """Epochs first: one of them is worth more than a step."""
        return tuple(c for c in (self._shown.validation_losses, self._shown.losses) if c)

    @property
    def _newest(self) -> float:
        return max((curve[-1].step for curve in self._curves), default=0.0)

    @property
    def _columns(self) -> int:
        shown = [chart.size.width for chart in self.query(Chart) if chart.size.width]
        return max(max(shown, default=0) - GUTTER, 1)


def _around(curve: Sequence[Bucket], step: float) -> Iterator[float]:
    """Yield the points of a curve on both sides of `step`."""
    for index in (bisect_right(curve, step, key=_STEP) - 1, bisect_left(curve, step, key=_STEP)):
        if 0 <= index < len(curve):
            yield curve[index].step
