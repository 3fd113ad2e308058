"""Where an answer comes from: what it loses when a part of the picture is covered. Free of torch.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from core.prediction.answering import BATCH_BYTES, MOST_TOGETHER, Predicted

# A square is told in so many cells a side; what covers it is so many of them wide and high.
CELLS = 10
PATCH = 2
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Heat:
    """What the label loses by each cell of the middle square, row by row from the top.

    `cells` is CELLS × CELLS: nats of log-odds, the mean over all patches that cover the cell; below 0 where the
    answer is the surer without. `lowest` is the confidence that the worst patch leaves.
    """

    cells: tuple[tuple[float, ...], ...]
    lowest: float

    def shares(self) -> list[list[float]]:
        """Return each cell's loss as a share of the largest, from 0 to 1; all 0 where nothing is lost."""
        most = max(map(max, self.cells))
        return [[max(lost / most, 0.0) if most > 0 else 0.0 for lost in row] for row in self.cells]


class _Covered(NamedTuple):
    row: int
    column: int
    pixels: bytes


async def heat_map(
    ask: Callable[[bytes], Awaitable[Predicted]],
    pixels: bytes,
    channels: int,
    chances: Sequence[float],
    label: int,
) -> Heat:
    """Return what the answer `label`, one of `chances`, loses by each part of `pixels`.

    `pixels` is `(channels, size, size)` uint8, `ask` gives the chances of the classes for such a square.
    """
    usual = _log_odds(chances, label)
    sums = [[0.0] * CELLS for _ in range(CELLS)]
    times = [[0] * CELLS for _ in range(CELLS)]
    lowest = chances[label]
    together = min(max(BATCH_BYTES // len(pixels), 1), MOST_TOGETHER)
    covering = _covered(pixels, channels)
    while some := list(islice(covering, together)):
        answers = await asyncio.gather(*(ask(one.pixels) for one in some))
        for one, answer in zip(some, answers, strict=True):
            lowest = min(lowest, answer.row[label])
            lost = usual - _log_odds(answer.row, label)
            for row in range(one.row, one.row + PATCH):
                for column in range(one.column, one.column + PATCH):
                    sums[row][column] += lost
                    times[row][column] += 1
    rows = zip(sums, times, strict=True)
    cells = tuple(tuple(s / n for s, n in zip(*row, strict=True)) for row in rows)
    return Heat(cells, lowest)


def _covered(pixels: bytes, channels: int) -> Iterator[_Covered]:
    """Yield the square with each patch of it in the square's mean colour."""
    plane = len(pixels) // channels
    size = math.isqrt(plane)
    means = [sum(pixels[k * plane : (k + 1) * plane]) // plane for k in range(channels)]
    edges = [cell * size // CELLS for cell in range(CELLS + 1)]
    places = range(CELLS - PATCH + 1)
    for row, column in ((row, column) for row in places for column in places):
        covered = bytearray(pixels)
        left, right = edges[column], edges[column + PATCH]
        for k, mean in enumerate(means):
            for y in range(edges[row], edges[row + PATCH]):
                start = k * plane + y * size
                covered[start + left : start + right] = bytes([mean]) * (right - left)
        yield _Covered(row, column, bytes(covered))


def _log_odds(chances: Sequence[float], label: int) -> float:
    """Return the logarithm of the label's chance by that of all others, which keeps its digits near 1."""
    others = sum(chances[:label]) + sum(chances[label + 1 :])
    return math.log(max(chances[label], _LEAST)) - math.log(max(others, _LEAST))
