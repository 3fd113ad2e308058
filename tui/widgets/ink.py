"""The area inside a chart's axes: lines become letters here, and plotext paints those that have changed.

plotext takes some 10 µs for each dot of a line, and a line has thousands: they are put together to
braille letters by its own rule, so that it paints one letter a cell, and of a chart that grows only the
columns in which something has changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from tui.widgets.glyphs import ROLES, Role, Row

# Dots of a braille letter: two across, four up.
ACROSS, UP = 2, 4
# The bits of the dots in the left and in the right half of a letter, from the bottom up.
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
# The letter for the dots of each half, of which the lowest bit is the lowest dot.
_LETTERS = [
    [
        chr(
            0x2800
            + sum(bit for i, bit in enumerate(_LEFT + _RIGHT) if (right << UP | left) >> i & 1)
        )
        for left in range(1 << UP)
    ]
    for right in range(1 << UP)
]
_COLOUR = re.compile(r"\x1b\[(?:38;5;(\d+)|0)m")
_BLANK: tuple[str, Role] = (" ", "label")
# A letter and its role by column and by row from the bottom.
Cells = dict[tuple[int, int], tuple[str, Role]]
Places = Sequence[tuple[float, float]]


class Ink:
    """What is drawn on a canvas of `width` × `height` cells; a place is (x, y), each 0 to 1."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self.cells: Cells = {}
        # The dots of all lines together: where they meet in a cell, it shows those of both.
        self._dots = [0] * (ACROSS * width)

    def faint(self, runs: Iterable[Places], glyph: str) -> None:
        """Draw lines below all others; without a `glyph` of dots."""
        self._draw(runs, glyph, "faint", [0] * len(self._dots))

    def line(self, runs: Iterable[Places], glyph: str, role: Role) -> None:
        """Draw lines; without a `glyph` of dots."""
        self._draw(runs, glyph, role, self._dots)

    def letters(self, places: Places, glyph: str, role: Role) -> None:
        """Put `glyph` into the cells of `places`."""
        for at in self._corners(places):
            self.cells[at] = glyph, role

    def _corners(self, places: Places) -> list[tuple[int, int]]:
        width, height = self._size
        return [(cell(x, width, ACROSS), cell(y, height, UP)) for x, y in places]

    def _draw(self, runs: Iterable[Places], glyph: str, role: Role, below: list[int]) -> None:
        """Draw letters, or dots that join those of `below`, by column a bit for each from the bottom up."""
        width, height = self._size
        if glyph:
            for run in runs:
                for at in _steps(self._corners(run)):
                    self.cells[at] = glyph, role
            return
        across, up = ACROSS * width, UP * height
        own = [0] * across
        for run in runs:
            _trace([(dot(x, across), dot(y, up)) for x, y in run], own)
        for x in range(width):
            left, right = own[2 * x], own[2 * x + 1]
            touched = left | right
            if not touched:
                continue
            left, right = left | below[2 * x], right | below[2 * x + 1]
            below[2 * x], below[2 * x + 1] = left, right
            for y in range(touched.bit_length() // UP + 1):
                shift = UP * y
                if touched >> shift & 15:
                    letter = _LETTERS[right >> shift & 15][left >> shift & 15]
                    self.cells[x, y] = letter, role


def dot(fraction: float, dots: int) -> int:
    """Return which of `dots` in a row lies at `fraction`, as plotext rounds."""
    return math.floor(round(0.5 + (dots - 1) * fraction, 8))


def cell(fraction: float, cells: int, dots: int) -> int:
    """Return the cell that holds the dot at `fraction`, `dots` a cell."""
    return int(fraction * (cells * dots - 1) + 0.5) // dots


def _steps(corners: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what lies on the way through `corners`, as plotext steps."""
    for (x0, y0), (x1, y1) in pairwise(corners):
        count = max(abs(x1 - x0), abs(y1 - y0))
        yield x0, y0
        if count > 1:
            right, up = (x1 - x0) / count, (y1 - y0) / count
            for i in range(1, count):
                yield int(x0 + i * right), int(y0 + i * up)
    yield from corners[-1:]


def _trace(corners: Sequence[tuple[int, int]], columns: list[int]) -> None:
    """Set the bits of what lies on the way through `corners`, whose xs rise, as `_steps` goes."""
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x1 - x0 <= 1 and y1 != y0:
            # All but the last lies straight above or below the first.
            low, high = (y0, y1) if y1 > y0 else (y1 + 1, y0 + 1)
            columns[x0] |= (1 << high) - (1 << low)
        else:
            for x, y in _steps([(x0, y0), (x1, y1)]):
                columns[x] |= 1 << y
    for x, y in corners[-1:]:
        columns[x] |= 1 << y


class Painter:
    """Has plotext paint cells, of those that it painted before only what differs; one for a chart."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self._size = 0, 0
        self._cells: Cells = {}
        # By row from the top, then by column.
        self._painted: list[list[tuple[str, Role]]] = []
        self._rows: list[Row] = []

    def rows(self, cells: Cells, width: int, height: int) -> list[Row]:
        """Return rows, from the top, that show `cells` on a canvas of this size."""
        if (width, height) != self._size:
            self._size, self._cells = (width, height), {}
            self._painted = [[_BLANK] * width for _ in range(height)]
            self._rows = [((" " * width, "label"),)] * height
        changed = [x for (x, _), _ in cells.items() ^ self._cells.items()]
        if changed:
            self._paint(cells, min(changed), max(changed) + 1)
        self._cells = cells
        return [*self._rows]

    def _paint(self, cells: Cells, start: int, end: int) -> None:
        """Paint the columns from `start` to `end` anew."""
        plot, width, height = self._plot, end - start, self._size[1]
        _prepare(plot, width, height)
        inside = [(x - start, y, letter) for (x, y), letter in cells.items() if start <= x < end]
        if inside:
            plot.scatter(
                [x / max(width - 1, 1) for x, _, _ in inside],
                [y / max(height - 1, 1) for _, y, _ in inside],
                marker=[text for _, _, (text, _) in inside],
                color=[ROLES.index(role) for _, _, (_, role) in inside],
            )
        for y, line in enumerate(plot.build().split("\n")[:height]):
            letters = [*_letters(line)]
            if letters != self._painted[y][start:end]:
                self._painted[y][start:end] = letters
                self._rows[y] = tuple(_joined(self._painted[y]))


def _prepare(plot: Any, width: int, height: int) -> None:
    """Empty plotext's figure and leave nothing but a canvas of this size.

    `_set_size` is the one private name of plotext that is used: `plotsize` cuts to the size that
    the terminal had when the figure was made.
    """
    plot.clear_data()
    plot.clear_color()
    plot.frame(False)
    plot.xticks([])
    plot.yticks([])
    plot.xlim(0, 1)
    plot.ylim(0, 1)
    plot._set_size(width, height)


def _letters(line: str) -> Iterator[tuple[str, Role]]:
    """Yield the letters of a line in plotext's colours, each with its role."""
    role: Role = "label"
    position = 0
    for match in _COLOUR.finditer(line):
        for letter in line[position : match.start()]:
            yield letter, role
        role = ROLES[int(match[1])] if match[1] else "label"
        position = match.end()
    for letter in line[position:]:
        yield letter, role


def _joined(row: Sequence[tuple[str, Role]]) -> Iterator[tuple[str, Role]]:
    """Yield the pieces of a row that have one role."""
    for role, letters in groupby(row, itemgetter(1)):
        yield "".join(letter for letter, _ in letters), role
