"""Curves: smoothing that starts right, gaps that stay, minima and maxima that are kept."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from core.runs.curve import CURVE_BUCKETS, Bucket, Curve, coarser
from core.runs.snapshot import RunView
from tests.tui.conftest import epoch_events, training
from tui.curves import Ruler, accuracy_curves, extremes, loss_curves
from tui.growing import Memory


def bucket(x: float, y: float) -> Bucket:
    """Return a bucket of one point."""
    return Bucket(x, 10 * x, y, y, y, 1)


def smoothed(buckets: Sequence[Bucket], span: int = 12) -> list[float]:
    return [smooth.y for smooth in Memory().smoothed("loss", buckets, span)]


def test_a_constant_stays_constant_when_smoothed() -> None:
    ys = smoothed([bucket(x, 3.0) for x in range(20)])
    assert all(math.isclose(y, 3.0) for y in ys)


def test_a_gap_stays_a_gap() -> None:
    ys = smoothed([bucket(0, 1.0), bucket(1, math.nan), bucket(2, 1.0)])
    assert math.isnan(ys[1])
    assert ys[2] == 1.0


def test_the_smoothed_line_follows_late_and_between() -> None:
    ys = smoothed([*(bucket(x, 0.0) for x in range(30)), *(bucket(x, 1.0) for x in range(30))])
    assert ys[29] == 0.0
    assert 0 < ys[30] < 0.5
    assert ys[-1] > 0.9


def test_what_is_remembered_of_a_curve_that_grows_is_what_would_be_made_anew() -> None:
    draw = random.Random(0)
    memory, curve = Memory(), Curve()
    step = 0
    while step < 5 * CURVE_BUCKETS:
        ys = [draw.choice([draw.gauss(1, 1)] * 99 + [math.nan]) for _ in range(draw.randrange(400))]
        curve.extend(lambda index, first=step: (first + index, 0.0), ys)  # type: ignore[misc]
        step += len(ys)
        if draw.random() < 0.1:
            # A resumed run goes on from a step before.
            step = max(step - 300, 0)
            curve.cut(step)
        buckets = curve.buckets()
        for count in (2, 4):
            whole = len(buckets) // count * count
            anew = list(coarser(buckets[:whole], count))
            assert repr(memory.coarser("loss", buckets, count)) == repr(anew)
        for span in (0, 12, 48):
            made = [smooth.y for smooth in memory.smoothed("loss", buckets, span)]
            assert repr(made) == repr(smoothed(buckets, span))


def test_extremes_are_kept() -> None:
    xs, ys = extremes([Bucket(1.0, 10.0, -5.0, 9.0, 16.0, 8), bucket(2.0, 4.0)], Ruler("step", 1))
    assert (xs, ys) == ([1.0, 1.0, 2.0], [-5.0, 9.0, 4.0])


def test_a_run_gives_its_curves() -> None:
    view = RunView()
    view.apply(training(5))
    now = view.snapshot()
    loss = {series.label: series for series in loss_curves(now)}
    assert set(loss) == {"steps", "train", "validation"}
    assert list(loss["validation"].xs) == [1, 2, 3, 4, 5]
    assert loss["steps"].style == "faint"
    best = accuracy_curves(now)[-1]
    assert (best.label, list(best.xs), best.style) == ("best", [5], "mark")


def test_ten_thousand_epochs_are_thinned_with_their_extremes() -> None:
    view = RunView()
    view.apply(training(1))
    for epoch in range(2, 3000):
        view.apply(epoch_events(1)[-2:-1])
        del epoch
    series = loss_curves(view.snapshot())[2]
    assert len(series.xs) <= 4096
