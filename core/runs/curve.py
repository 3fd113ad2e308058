"""Curves of any length in constant memory: many points become few buckets, and no extreme is lost."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

# Many times the columns of the widest terminal, so that there is more to see when one looks closer.
CURVE_BUCKETS = 2048


class Bucket(NamedTuple):
    """Neighbouring points of a curve as one: where the last lies, their extremes and their sum.

    `step` counts from 1 over the run; `seconds` is how long it had trained then, pauses left out.
    What is not finite counts for no extreme, and makes the mean a gap.
    """

    step: float
    seconds: float
    low: float
    high: float
    total: float
    points: int

    @property
    def mean(self) -> float:
        """The mean value; not finite where one of the points is not."""
        return self.total / self.points


class Curve(msgspec.Struct):
    """A curve that grows; point by point or in bulk, the same points give the same buckets.

    All buckets but the last hold the same number of points; when twice `CURVE_BUCKETS` are full,
    neighbours are merged, so that a point costs O(1).
    """

    _buckets: list[Bucket] = []
    _per_bucket: int = 1

    def add(self, step: float, seconds: float, y: float) -> None:
        """Append one point."""
        self.extend(lambda _: (step, seconds), (y,))

    def extend(self, where: Callable[[int], tuple[float, float]], ys: Sequence[float]) -> None:
        """Append points of the values `ys`; `where` gives step and seconds of one by its index.

        It is asked for the last point of a bucket only: of a long run that is one in hundreds.
        """
        start = 0
        while start < len(ys):
            last = self._buckets.pop() if self._has_room() else None
            stop = start + self._per_bucket - (last.points if last else 0)
            new = ys[start:stop]
            start += len(new)
            self._buckets.append(_grown(last, *where(start - 1), new))
            if len(self._buckets) >= 2 * CURVE_BUCKETS and not self._has_room():
                self._buckets = list(coarser(self._buckets, 2))
                self._per_bucket *= 2

    def cut(self, step: float) -> None:
        """Take off what lies beyond `step`, with the rest of the bucket that it lies in."""
        while self._buckets and self._buckets[-1].step > step:
            self._buckets.pop()

    @property
    def seconds(self) -> float:
        """Seconds of training up to the last point, 0 before the first."""
        return self._buckets[-1].seconds if self._buckets else 0.0

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the curve so far, at most twice `CURVE_BUCKETS` buckets."""
        return tuple(self._buckets)

    def _has_room(self) -> bool:
        return bool(self._buckets) and self._buckets[-1].points < self._per_bucket


def coarser(buckets: Sequence[Bucket], count: int) -> Sequence[Bucket]:
    """Return the buckets with each `count` neighbours merged into one."""
    if count <= 1:
        return buckets
    return [_merged(buckets[i : i + count]) for i in range(0, len(buckets), count)]


def _grown(last: Bucket | None, step: float, seconds: float, ys: Sequence[float]) -> Bucket:
    """Return `last` with the points `ys` after it, added up in their order."""
    before = last.total if last else 0.0
    total = deque(accumulate(ys, initial=before), maxlen=1).pop()
    low, high = _extremes(ys, ys, total)
    if last is None:
        return Bucket(step, seconds, low, high, total, len(ys))
    low, high = _extremes((last.low, low), (last.high, high), total)
    return Bucket(step, seconds, low, high, total, last.points + len(ys))


def _merged(buckets: Sequence[Bucket]) -> Bucket:
    last = buckets[-1]
    total = 0.0
    points = 0
    for bucket in buckets:
        total += bucket.total
        points += bucket.points
    low, high = _extremes([b.low for b in buckets], [b.high for b in buckets], total)
    return Bucket(last.step, last.seconds, low, high, total, points)


def _extremes(lows: Sequence[float], highs: Sequence[float], total: float) -> tuple[float, float]:
    """Return the lowest and the highest; where the total is finite, so is everything in it."""
    if math.isfinite(total):
        return min(lows), max(highs)
    return min(_finite(lows)), max(_finite(highs))


def _finite(ys: Iterable[float]) -> Sequence[float]:
    """Return the finite ones of `ys`, or one NaN where there are none."""
    return [y for y in ys if math.isfinite(y)] or [math.nan]
