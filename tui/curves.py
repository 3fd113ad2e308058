"""A run's numbers as curves for the charts: nothing hidden, nothing drawn that did not happen."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from core.runs.curve import Bucket, coarser
from core.runs.snapshot import LIVING, Snapshot
from tui.growing import Memory
from tui.widgets.sketch import Series

Along = Literal["epoch", "step", "time"]
Smoothing = Literal["usual", "strong", "none"]
# The smoothed line follows the mean of so many of the buckets that are drawn of a whole run.
SMOOTH_BUCKETS: dict[Smoothing, int] = {"usual": 12, "strong": 48, "none": 0}
# More points than these are not drawn: twice the columns of the widest terminal.
DRAWN_BUCKETS = 512
_STEP = attrgetter("step")
# A living run's axis ends at one of these times a power of ten, so that it seldom moves.
_LIMITS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, kw_only=True)
class View:
    """How a run's curves are looked at: along what, which steps (None: all), how smooth."""

    along: Along = "epoch"
    window: tuple[float, float] | None = None
    smoothing: Smoothing = "usual"


DEFAULT_VIEW = View()


@dataclass(frozen=True)
class Ruler:
    """The x axis of a run: its unit, and where steps lie on it."""

    unit: str
    size: float
    times: tuple[Bucket, ...] = ()

    def at(self, bucket: Bucket) -> float:
        """Return where the end of `bucket` lies."""
        return (bucket.seconds if self.times else bucket.step) / self.size

    def of(self, step: float) -> float:
        """Return where `step` lies; its time is read off the curve."""
        if not self.times:
            return step / self.size
        index = min(bisect_left(self.times, step, key=_STEP), len(self.times) - 1)
        after = self.times[index]
        if step >= after.step:
            return self.at(after)
        before_step, before = self.times[index - 1][:2] if index else (0.0, 0.0)
        part = (step - before_step) / (after.step - before_step)
        return (before + part * (after.seconds - before)) / self.size


def ruler(now: Snapshot, along: Along) -> Ruler:
    """Return the x axis for `now`; times are of training and validation, pauses left out."""
    times = now.losses or now.validation_losses
    if along == "time" and times:
        seconds = times[-1].seconds
        unit, size = next((u, s) for u, s, most in _UNITS if seconds < most)
        return Ruler(unit, size, times)
    return Ruler("step", 1) if along == "step" else Ruler("epoch", now.steps_per_epoch)


_UNITS = (("seconds", 1, 180), ("minutes", 60, 3 * 3600), ("hours", 3600, math.inf))


def x_limit(now: Snapshot, axis: Ruler) -> float | None:
    """Return how far the x axis reaches: as far as the run, with room to grow while it lives."""
    ends = [axis.at(curve[-1]) for curve in (now.losses, now.validation_losses) if curve]
    last = max(ends, default=0.0)
    if not 0 < last < math.inf:
        return None
    if now.state not in LIVING:
        return last
    power = 10.0 ** math.floor(math.log10(last))
    limit = next(m * power for m in _LIMITS if m * power >= last)
    planned = now.steps_planned / axis.size if now.steps_planned and not axis.times else math.inf
    return max(min(limit, planned), last)


def extremes(buckets: Iterable[Bucket], axis: Ruler) -> tuple[list[float], list[float]]:
    """Return xs and ys through the lowest and the highest point of each bucket."""
    xs: list[float] = []
    ys: list[float] = []
    for bucket in buckets:
        x, low, high = axis.at(bucket), bucket.low, bucket.high
        xs.append(x)
        ys.append(low)
        if low != high:
            xs.append(x)
            ys.append(high)
    return xs, ys


def _merge(count: int) -> int:
    """Return how many of `count` buckets to draw as one: a power of two, to change seldom."""
    return 1 << max(count.bit_length() - DRAWN_BUCKETS.bit_length(), 0)


def _seen(buckets: Sequence[Bucket], window: tuple[float, float] | None) -> tuple[int, int, int]:
    """Return the first and the last bucket to draw, and how many to draw as one.

    A neighbour on each side of the window belongs to it: lines cross its edges. Always the same
    buckets are merged, or the curve would shimmer while it grows.
    """
    first, end = 0, len(buckets)
    if window is not None:
        first = max(bisect_left(buckets, window[0], key=_STEP) - 1, 0)
        end = min(bisect_right(buckets, window[1], key=_STEP) + 1, end)
    merge = _merge(end - first)
    return first // merge * merge, end, merge


class Kept(NamedTuple):
    """Where what was made of a curve is remembered, and under which name."""

    memory: Memory
    curve: str


def _points(
    label: str,
    buckets: Sequence[Bucket],
    axis: Ruler,
    view: View,
    kept: Kept,
    *,
    faint: bool = False,
) -> Series:
    """Return the line through all extremes of what is seen of a curve."""
    first, end, merge = _seen(buckets, view.window)
    if merge > 1:
        whole = kept.memory.coarser(kept.curve, buckets, merge)[first // merge : end // merge]
        seen = [*whole, *coarser(buckets[end // merge * merge : end], merge)]
    else:
        seen = [*buckets[first:end]]
    return Series(label, *extremes(seen, axis), style="faint" if faint else "line")


def _mean(label: str, buckets: Sequence[Bucket], axis: Ruler, view: View, kept: Kept) -> Series:
    """Return the smoothed line, which is the same in every window."""
    first, end, merge = _seen(buckets, view.window)
    shown = [*range(first + merge - 1, end, merge), *([end - 1] if (end - first) % merge else [])]
    # Of finer buckets it takes more, so that a longer run is no rougher.
    span = SMOOTH_BUCKETS[view.smoothing] * _merge(len(buckets))
    smooth = kept.memory.smoothed(kept.curve, buckets, span)
    return Series(label, [axis.at(buckets[i]) for i in shown], [smooth[i].y for i in shown])


def loss_curves(
    now: Snapshot, view: View = DEFAULT_VIEW, memory: Memory | None = None
) -> list[Series]:
    """Return the loss of the steps, raw and smoothed, and of the validation part."""
    return _curves(now.losses, now.validation_losses, now, view, Kept(memory or Memory(), "loss"))


def accuracy_curves(
    now: Snapshot, view: View = DEFAULT_VIEW, memory: Memory | None = None
) -> list[Series]:
    """Return the accuracy on both parts, with the best epoch marked."""
    kept = Kept(memory or Memory(), "accuracy")
    curves = _curves(now.accuracies, now.validation_accuracies, now, view, kept)
    if (best := now.best) is not None:
        x = ruler(now, view.along).of(best.step)
        curves.append(Series("best", [x], [best.validation_accuracy], "mark"))
    return curves


def _curves(
    steps: Sequence[Bucket], epochs: Sequence[Bucket], now: Snapshot, view: View, kept: Kept
) -> list[Series]:
    axis = ruler(now, view.along)
    return [
        _points("steps", steps, axis, view, kept, faint=True),
        _mean("train", steps, axis, view, kept),
        _points("validation", epochs, axis, view, kept._replace(curve=f"validation {kept.curve}")),
    ]
