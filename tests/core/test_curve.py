"""No thinning of a curve hides what happened, and it does not matter how the points came."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from core.runs.curve import CURVE_BUCKETS, Bucket, Curve, coarser


def curve_of(values: Sequence[float], pieces: Sequence[int] = (1,)) -> tuple[Bucket, ...]:
    """Return the buckets of `values` at the steps 1, 2, ..., added in pieces of these sizes, in turn."""
    curve = Curve()
    start = turn = 0
    while start < len(values):
        ys = values[start : start + pieces[turn % len(pieces)]]
        where = [(step, step / 10) for step in range(start + 1, start + 1 + len(ys))]
        curve.extend(where.__getitem__, ys)
        start += len(ys)
        turn += 1
    return curve.buckets()


def test_a_spike_of_one_step_among_100000_is_kept() -> None:
    values = [1.0] * 100_000
    values[61_234] = 50.0
    buckets = curve_of(values, [7919])
    assert CURVE_BUCKETS <= len(buckets) <= 2 * CURVE_BUCKETS
    assert [b.high for b in buckets if b.high > 1.0] == [50.0]
    assert sum(b.points for b in buckets) == 100_000


def test_the_extremes_and_the_mean_of_any_curve_are_kept() -> None:
    draw = random.Random(1)
    values = [draw.gauss(0, 1) for _ in range(50_000)]
    buckets = curve_of(values)
    assert min(b.low for b in buckets) == min(values)
    assert max(b.high for b in buckets) == max(values)
    mean = sum(b.mean * b.points for b in buckets) / len(values)
    assert mean == pytest.approx(sum(values) / len(values))
    assert [b.step for b in buckets] == sorted(b.step for b in buckets)
    assert (buckets[-1].step, buckets[-1].seconds) == (50_000, 5_000.0)


@pytest.mark.parametrize("seed", range(5))
def test_points_in_bulk_give_the_same_buckets_as_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    odd = [math.inf, -math.inf, 0.0, -0.0]
    values = [
        draw.choice(odd) if draw.random() < 0.001 else draw.gauss(1, 1e6) for _ in range(20_000)
    ]
    pieces = [draw.choice([1, 2, 700, 5000]) for _ in range(10)]
    # By `repr`, since a sum of opposite infinities is NaN, which no NaN equals.
    assert repr(curve_of(values)) == repr(curve_of(values, pieces))


def test_what_is_no_number_hides_no_extreme_and_is_a_gap_in_the_mean() -> None:
    curve = Curve()
    values = [1.0, 2.0, math.nan, 5.0, math.inf, 3.0] * CURVE_BUCKETS
    for i, value in enumerate(values):
        curve.add(i, i, value)
    (merged,) = coarser(curve.buckets(), 2 * CURVE_BUCKETS)
    assert (merged.low, merged.high, merged.points) == (1.0, 5.0, len(values))
    assert not math.isfinite(merged.mean)
    nothing = curve_of([math.nan] * 3)
    assert all(math.isnan(b.low) and math.isnan(b.high) for b in nothing)


def test_a_curve_that_is_cut_grows_on_as_if_the_rest_had_not_been() -> None:
    curve = Curve()
    for step in range(1, 101):
        curve.add(step, step / 10, float(step))
    curve.cut(40)
    assert curve.seconds == 4.0
    curve.add(41, 4.1, -1.0)
    assert [b.step for b in curve.buckets()] == list(range(1, 42))
    curve.cut(0)
    assert (curve.buckets(), curve.seconds) == ((), 0.0)
