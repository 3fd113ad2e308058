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

# What the model sees is told in so many cells a side; what covers it is so many of them wide and high, and
# reaches over the border, so that each cell is covered as often.
CELLS = 10
PATCH = 2
# Nats; what changes less than this has lost nothing: batches of other sizes round otherwise.
LEAST_LOSS = 0.01
_LEAST_CHANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Heat:
    """What the label loses by each cell of what the model saw, row by row from the top.

    `cells` is CELLS × CELLS: nats of log-odds, the mean over all patches that cover the cell; below 0 where the
    answer is the surer without. `lowest` is the confidence that is left with the most telling patch covered.
    `view` is the share of the picture's middle square, a side, that the model saw.
    """

    cells: tuple[tuple[float, ...], ...]
    lowest: float
    view: float = 1.0

    def shares(self) -> list[list[float]]:
        """Return each cell's loss as a share of the largest, from 0 to 1; all 0 where nothing is lost."""
        if self.shows_nothing:
            return [[0.0] * len(row) for row in self.cells]
        return [[max(lost / self._most, 0.0) for lost in row] for row in self.cells]

    @property
    def shows_nothing(self) -> bool:
        """Whether no part of the picture alone costs the answer anything."""
        return self._most < LEAST_LOSS

    @property
    def _most(self) -> float:
        return max(map(max, self.cells))


class _Covered(NamedTuple):
    row: int
    column: int
    pixels: bytes


async def heat_map(
    ask: Callable[[bytes], Awaitable[Predicted]],
    pixels: bytes,
    channels: int,
    view: float,
    chances: Sequence[float],
    label: int,
) -> Heat:
    """Return what the answer `label`, one of `chances`, loses by each part of `pixels`.

    `pixels` is `(channels, size, size)` uint8, of whose middle the model sees `view` a side; `ask` gives the
    chances of the classes for such a square.
    """
    usual = _log_odds(chances, label)
    sums = [[0.0] * CELLS for _ in range(CELLS)]
    lowest = chances[label]
    together = min(max(BATCH_BYTES // len(pixels), 1), MOST_TOGETHER)
    covering = _covered(pixels, channels, view)
    while some := list(islice(covering, together)):
        answers = await asyncio.gather(*(ask(one.pixels) for one in some))
        for one, answer in zip(some, answers, strict=True):
            lowest = min(lowest, answer.row[label])
            lost = usual - _log_odds(answer.row, label)
            for row in _cells_of(one.row):
                for column in _cells_of(one.column):
                    sums[row][column] += lost / PATCH**2
    return Heat(tuple(map(tuple, sums)), lowest, view)


def _cells_of(place: int) -> range:
    """Return the cells, of a row or a column, that a patch covers whose first would be `place`."""
    return range(max(place, 0), min(place + PATCH, CELLS))


def _covered(pixels: bytes, channels: int, view: float) -> Iterator[_Covered]:
    """Yield the square with each patch of what is seen of it in the square's mean colour."""
    plane = len(pixels) // channels
    size = math.isqrt(plane)
    means = [sum(pixels[k * plane : (k + 1) * plane]) // plane for k in range(channels)]
    margin = (size - view * size) / 2
    edges = [round(margin + cell * view * size / CELLS) for cell in range(CELLS + 1)]
    places = range(1 - PATCH, CELLS)
    for row, column in ((row, column) for row in places for column in places):
        covered = bytearray(pixels)
        rows, columns = _cells_of(row), _cells_of(column)
        left, right = edges[columns.start], edges[columns.stop]
        for k, mean in enumerate(means):
            for y in range(edges[rows.start], edges[rows.stop]):
                start = k * plane + y * size
                covered[start + left : start + right] = bytes([mean]) * (right - left)
        yield _Covered(row, column, bytes(covered))


def _log_odds(chances: Sequence[float], label: int) -> float:
    """Return the logarithm of the label's chance by that of all others, which keeps its digits near 1."""
    others = sum(chances[:label]) + sum(chances[label + 1 :])
    return math.log(max(chances[label], _LEAST_CHANCE)) - math.log(max(others, _LEAST_CHANCE))
