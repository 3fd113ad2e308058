"""From numbers to their place in a chart: gaps, thinning, limits and ticks."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise, repeat
from operator import attrgetter
from typing import NamedTuple

# Beyond these, steps between ticks under- or overflow; such axes get their ends as ticks.
_SMALLEST, _LARGEST = 1e-290, 1e300
# Spans below this part of the values are rounding noise, not a curve.
_FLAT = 1e-9
_SMALLEST_LOG, _LARGEST_LOG = -320.0, 308.25


class Point(NamedTuple):
    """A finite point of a series; points with different `gap` are not joined."""

    x: float
    y: float
    gap: int


# As fast as a tuple is made; `Point` itself takes three times as long.
_point: Callable[[Iterable[object]], Point] = partial(tuple.__new__, Point)


@dataclass(frozen=True)
class Axis:
    """What an axis covers, and where it has labels: (value, text)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()

    @property
    def span(self) -> float:
        """How much the axis covers."""
        return self.high - self.low

    def fraction(self, value: float) -> float:
        """Return where `value` lies, 0 at `low` to 1 at `high`."""
        return self.fractions((value,))[0]

    def fractions(self, values: Iterable[float]) -> list[float]:
        """Return where each of `values` lies, 0 at `low` to 1 at `high`; halves keep 1e308 finite."""
        low = self.low / 2
        span = self.high / 2 - low
        if span <= 0:
            return [0.5 for _ in values]
        parts = [(value / 2 - low) / span for value in values]
        return [0.0 if part < 0.0 else 1.0 if part > 1.0 else part for part in parts]


def finite_points(xs: Sequence[float], ys: Sequence[float], log: bool = False) -> list[Point]:
    """Return what can be drawn, in order of x; with `log` the logarithms of the positive ys."""
    if not log and math.isfinite(sum(xs)) and math.isfinite(sum(ys)):
        # Where a sum is finite, all in it is.
        points = list(map(_point, zip(xs, ys, repeat(0), strict=False)))
    else:
        points, gap = [], 0
        for x, y in zip(xs, ys, strict=False):
            if not (math.isfinite(x) and math.isfinite(y)) or (log and y <= 0):
                gap += 1
            else:
                points.append(Point(x, math.log10(y) if log else y, gap))
    points.sort(key=attrgetter("x"))
    return points


def clipped(points: list[Point], low: float, high: float) -> list[Point]:
    """Return what lies between `low` and `high`; a line that crosses an edge is cut there."""
    kept: list[Point] = []
    for before, point in pairwise([None, *points]):
        assert point is not None
        if before is not None and before.gap == point.gap:
            kept += [_between(before, point, x) for x in (low, high) if before.x < x < point.x]
        if low <= point.x <= high:
            kept.append(point)
    return kept


def _between(a: Point, b: Point, x: float) -> Point:
    part = (x - a.x) / (b.x - a.x)
    return Point(x, a.y * (1 - part) + b.y * part, a.gap)


class Readings:
    """What can be read off a curve; made once for many a crosshair."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._values: dict[float, list[float]] = {}
        for x, y in zip(xs, ys, strict=False):
            if math.isfinite(x):
                values = self._values.setdefault(x, [])
                if math.isfinite(y):
                    values.append(y)
        self._places = sorted(self._values)

    def at(self, x: float, reach: float, *, ends: bool = False) -> tuple[float, ...]:
        """Return the y, or the lowest and the highest, of the point nearest to `x`; none in a gap.

        With `ends` each x is the end of a stretch, and it is that in which `x` lies. Outside of the
        curve, nothing farther than `reach` counts.
        """
        places = self._places
        if not places or not places[0] - reach <= x <= places[-1] + reach:
            return ()
        after = min(bisect_left(places, x), len(places) - 1)
        if ends:
            chosen = places[after]
        else:
            around = places[max(after - 1, 0) : after + 1]
            chosen = min(around, key=lambda place: abs(place - x))
        found = self._values[chosen]
        return tuple(sorted({min(found), max(found)})) if found else ()


def thin(points: list[Point], axis: Axis, columns: int) -> list[Point]:
    """Return at most two points a column: the lowest and the highest there, in order of x."""
    if len(points) <= 2 * columns:
        return points
    height = attrgetter("y")
    kept: list[Point] = []
    where = [int(part * (columns - 1) + 0.5) for part in axis.fractions([p.x for p in points])]
    start = 0
    for _, group in groupby(where):
        end = start + len(list(group))
        bucket, start = points[start:end], end
        low, high = min(bucket, key=height), max(bucket, key=height)
        kept += [low] if low is high else sorted((low, high), key=attrgetter("x"))
    return kept


def joined(points: Iterable[Point]) -> list[list[Point]]:
    """Return the runs of points between gaps."""
    return [list(group) for _, group in groupby(points, key=attrgetter("gap"))]


def y_axis(values: Sequence[float], rows: int, *, percent: bool = False, log: bool = False) -> Axis:
    """Return the axis for `values` (logarithms of them with `log`) on `rows` lines."""
    wanted = min(max(rows // 2, 2), 7)
    low, high = _widened(min(values), max(values), 0.05 if percent and not log else 1.0)
    if log:
        margin = (high - low) * 0.02
        low, high = max(low - margin, _SMALLEST_LOG), min(high + margin, _LARGEST_LOG)
        return Axis(low, high, _log_ticks(low, high, wanted))
    snapped_low, snapped_high = _snapped(low, high)
    if percent and low >= 0 and high <= 1.05:
        snapped_low, snapped_high = max(snapped_low, 0.0), min(snapped_high, 1.0)
    return Axis(snapped_low, snapped_high, _ticks(snapped_low, snapped_high, wanted, percent))


def x_axis(values: Sequence[float], limit: float | None, columns: int) -> Axis:
    """Return the axis for `values`, whole-numbered ticks; from 0 to `limit` where there is one."""
    low, high = min(values), max(values)
    if limit is not None and math.isfinite(limit):
        low, high = min(low, 0.0), max(high, limit)
    elif 0 < low < high / 20:
        low = 0.0
    return _across(low, high, columns, whole_from=1.0)


def window_axis(low: float, high: float, columns: int) -> Axis:
    """Return the axis from `low` to `high`, the part of a curve that is looked at."""
    return _across(low, high, columns, whole_from=4.0)


def _across(low: float, high: float, columns: int, whole_from: float) -> Axis:
    low, high = _widened(low, high, 0.5)
    wanted = min(max(columns // 8, 2), 9)
    return Axis(low, high, _ticks(low, high, wanted, whole=high - low >= whole_from))


def _widened(low: float, high: float, pad: float) -> tuple[float, float]:
    """Return limits that differ: equal values get the same room above and below."""
    largest = max(abs(low), abs(high))
    if high / 2 - low / 2 > max(largest * _FLAT, _SMALLEST):
        return low, high
    pad = max(pad if largest < 1 else 0.0, largest * 0.05)
    limit = sys.float_info.max
    return max(low - pad, -limit), min(high + pad, limit)


def _snapped(low: float, high: float) -> tuple[float, float]:
    """Return the limits moved out to round numbers, so that they seldom change while data grow."""
    span = high - low
    if not _SMALLEST < span < _LARGEST:
        return low, high
    step = _round_step(span / 12)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((m * power for m in (1, 2, 5) if m * power >= least * (1 - _FLAT)), 10 * power)


def _ticks(
    low: float, high: float, wanted: int, percent: bool = False, *, whole: bool = False
) -> tuple[tuple[float, str], ...]:
    span = high - low
    if not _SMALLEST < span < _LARGEST:
        return tuple((end, _plain(end)) for end in (low, high))
    step = _round_step(max(span / wanted / 4, 1.0 if whole else 0.0))
    while (count := math.floor(high / step + _FLAT) - math.ceil(low / step - _FLAT) + 1) > wanted:
        step = _round_step(1.5 * step)
    first = math.ceil(low / step - _FLAT)
    labels: dict[str, float] = {}
    for index in range(first, first + count):
        labels.setdefault(_label(index * step, step, percent), index * step)
    return tuple((value, text) for text, value in labels.items())


def _log_ticks(low: float, high: float, wanted: int) -> tuple[tuple[float, str], ...]:
    """Return ticks at powers of ten, else at 1, 2, 5 times them, else at even steps."""
    decades = range(math.ceil(low - _FLAT), math.floor(high + _FLAT) + 1)
    if len(decades) >= 2:
        stride = math.ceil(len(decades) / (wanted + 1))
        return tuple((float(d), _plain(10.0**d)) for d in decades[::stride])
    around = range(math.floor(low), math.floor(high) + 1)
    parts = [d + math.log10(m) for d in around for m in (1, 2, 5)]
    inside = [p for p in parts if low <= p <= high]
    if len(inside) >= 2:
        return tuple((p, _plain(10.0**p)) for p in inside)
    even = _ticks(10.0**low, 10.0**high, wanted)
    return tuple((math.log10(value), text) for value, text in even if value > 0)


def _label(value: float, step: float, percent: bool) -> str:
    """Return `value` with just the decimals that tell it from its neighbours."""
    value, step = (100 * value, 100 * step) if percent else (value, step)
    decimals = max(-math.floor(math.log10(step) + _FLAT), 0)
    if decimals > 6 or abs(value) >= 1e6:
        return _plain(value)
    text = f"{value + 0.0:,.{decimals}f}"
    return f"{text} %" if percent else text


def _plain(value: float) -> str:
    return _short_exponent(f"{value:.3g}")


def exact(value: float, percent: bool = False) -> str:
    """Return a value as the crosshair says it, to four digits."""
    return f"{value * 100:.1f} %" if percent else _short_exponent(f"{value:.4g}")


def _short_exponent(number: str) -> str:
    return number.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
