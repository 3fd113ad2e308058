"""What is made of a curve that grows, of which only the end is made anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from core.runs.curve import Bucket, coarser


class Smooth(NamedTuple):
    """The smoothed value of a bucket, and what goes into that of the next."""

    y: float
    total: float
    weight: float


class Memory:
    """Remembers what was made of curves by the names they are given; used by one thread at a time."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[Sequence[Bucket], list[Any]]] = {}

    def smoothed(self, curve: str, buckets: Sequence[Bucket], span: int) -> list[Smooth]:
        """Return the exponential mean over `span` buckets' means, corrected for its start.

        0 does not smooth; what is not finite stays a gap.
        """
        keep = 1 - 2 / (span + 1) if span else 0.0

        def go_on(made: list[Smooth]) -> None:
            _, total, weight = made[-1] if made else Smooth(0.0, 0.0, 0.0)
            for bucket in buckets[len(made) :]:
                mean = bucket.mean
                y = math.nan
                if math.isfinite(mean):
                    total = keep * total + (1 - keep) * mean
                    weight = keep * weight + 1 - keep
                    y = total / weight
                made.append(Smooth(y, total, weight))

        return self._grown((curve, "smoothed", span), buckets, 1, go_on)

    def coarser(self, curve: str, buckets: Sequence[Bucket], count: int) -> list[Bucket]:
        """Return each `count` neighbours merged into one, without the last where they are fewer."""
        whole = len(buckets) // count * count

        def go_on(made: list[Bucket]) -> None:
            made += coarser(buckets[len(made) * count : whole], count)

        return self._grown((curve, "coarser", count), buckets, count, go_on)

    def _grown(
        self,
        key: Hashable,
        buckets: Sequence[Bucket],
        count: int,
        go_on: Callable[[list[Any]], None],
    ) -> list[Any]:
        """Return what `go_on` makes of what was made of the same buckets before, one of each `count`."""
        before, made = self._made.pop(key, ((), []))
        same = min(len(before), len(buckets))
        # A bucket is replaced only together with all that come after it.
        while same and before[same - 1] is not buckets[same - 1]:
            same -= 1
        del made[same // count :]
        go_on(made)
        self._made[key] = buckets, made
        return made
