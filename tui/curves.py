"""A run's numbers as curves for the charts: nothing hidden, nothing drawn that did not happen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from core.runs.snapshot import Bucket, Curve, Snapshot
from tui.widgets.chart import Series

# The smoothed line follows the mean of about so many buckets.
SMOOTH_BUCKETS = 12


def smoothed(buckets: Sequence[Bucket]) -> list[float]:
    """Return the exponential mean of the buckets' means, corrected for its start; NaN stays a gap."""
    keep = 1 - 2 / (SMOOTH_BUCKETS + 1)
    total = weight = 0.0
    ys = []
    for bucket in buckets:
        if not math.isfinite(bucket.mean):
            ys.append(math.nan)
            continue
        total = keep * total + (1 - keep) * bucket.mean
        weight = keep * weight + 1 - keep
        ys.append(total / weight)
    return ys


def extremes(buckets: Iterable[Bucket]) -> tuple[list[float], list[float]]:
    """Return xs and ys through the lowest and the highest point of each bucket."""
    xs: list[float] = []
    ys: list[float] = []
    for bucket in buckets:
        values = (bucket.mean,) if bucket.points == 1 else (bucket.low, bucket.high)
        xs += [bucket.x] * len(values)
        ys += values
    return xs, ys


def _per_epoch(label: str, points: Iterable[tuple[int, float]]) -> Series:
    """Return a line through one point an epoch, thinned like all curves where there are too many."""
    curve = Curve()
    for epoch, value in points:
        curve.add(epoch, value)
    return Series(label, *extremes(curve.buckets()))


def _train(buckets: Sequence[Bucket]) -> list[Series]:
    xs = [bucket.x for bucket in buckets]
    return [
        Series("steps", *extremes(buckets), style="faint"),
        Series("train", xs, smoothed(buckets)),
    ]


def loss_curves(now: Snapshot) -> list[Series]:
    """Return the loss of the steps, raw and smoothed, and of the validation part."""
    validation = ((epoch.epoch, epoch.validation_loss) for epoch in now.epochs)
    return [*_train(now.losses), _per_epoch("validation", validation)]


def accuracy_curves(now: Snapshot) -> list[Series]:
    """Return the accuracy on both parts, with the best epoch marked."""
    validation = ((epoch.epoch, epoch.validation_accuracy) for epoch in now.epochs)
    curves = [*_train(now.accuracies), _per_epoch("validation", validation)]
    if now.best is not None:
        curves.append(Series("best", [now.best.epoch], [now.best.validation_accuracy], "mark"))
    return curves
