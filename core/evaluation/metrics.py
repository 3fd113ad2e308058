"""Accuracy with its interval, confusion matrix, precision, recall and F1 per class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.runs.events import Evaluated, Interval

# 97.5 % quantile of the normal distribution, for two-sided 95 % intervals.
Z95 = 1.959963984540054


def interval(right: int, n: int) -> Interval:
    """Return the accuracy `right / n` with its 95 % score interval (Wilson, JASA 1927).

    Unlike the textbook's normal interval it stays inside 0 to 1 and is honest near both ends.
    """
    if n == 0:
        raise ValueError("no pictures, no accuracy")
    share, z2 = right / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    # At both ends the interval includes the accuracy exactly; rounding must not push it out.
    return Interval(accuracy=share, low=min(low, share), high=max(high, share), n=n)


def confusion_matrix(
    truths: Sequence[int], answers: Sequence[int], classes: int
) -> list[list[int]]:
    """Return counts `[truth][answer]` for class indices below `classes`."""
    matrix = [[0] * classes for _ in range(classes)]
    for truth, answer in zip(truths, answers, strict=True):
        matrix[truth][answer] += 1
    return matrix


def evaluated(
    truths: Sequence[int], answers: Sequence[int], classes: Sequence[str], loss: float
) -> Evaluated:
    """Return the whole evaluation of `answers` to pictures of the classes `truths`.

    Precision, recall and F1 of a class that was never answered, or never there, are 0.
    """
    matrix = confusion_matrix(truths, answers, len(classes))
    right = [matrix[k][k] for k in range(len(classes))]
    answered = [sum(row[k] for row in matrix) for k in range(len(classes))]
    score = interval(sum(right), len(truths))
    precision = [_share(r, a) for r, a in zip(right, answered, strict=True)]
    recall = [_share(r, sum(row)) for r, row in zip(right, matrix, strict=True)]
    return Evaluated(
        classes=list(classes),
        confusion=matrix,
        accuracy=score.accuracy,
        low=score.low,
        high=score.high,
        n=score.n,
        loss=loss,
        precision=precision,
        recall=recall,
        f1=[_share(2 * p * r, p + r) for p, r in zip(precision, recall, strict=True)],
    )


def majority(confusion: Sequence[Sequence[int]]) -> tuple[int, float]:
    """Return the most frequent class among the pictures, and how often always answering it is right."""
    sizes = [sum(row) for row in confusion]
    most = max(range(len(sizes)), key=sizes.__getitem__)
    return most, _share(sizes[most], sum(sizes))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
