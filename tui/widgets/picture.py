"""A picture in the terminal: two pixels a cell, in any terminal that has colours, or in shades."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import RenderResult
from textual.strip import Strip
from textual.widget import Widget

from core.engine import Heat, Picture
from core.text import SHADES

# How much of a pixel is left where the answer does not depend on it.
FAINT = 0.2

Pixel = tuple[int, int, int]


class Grid(NamedTuple):
    """A picture brought to the size in which it is shown."""

    width: int
    height: int
    pixels: list[Pixel]


def fitted(picture: Picture, width: int, height: int) -> tuple[int, int]:
    """Return the largest size with the picture's shape inside `width` x `height`, at least 1 x 1."""
    scale = min(width / picture.width, height / picture.height)
    return (
        min(max(round(picture.width * scale), 1), width),
        min(max(round(picture.height * scale), 1), height),
    )


def resampled(picture: Picture, width: int, height: int) -> Grid:
    """Return the picture as `width` x `height` pixels: means where it shrinks, copies where not."""
    columns = list(_spans(picture.width, width))
    pixels = []
    for top, bottom in _spans(picture.height, height):
        for left, right in columns:
            pixels.append(_mean(picture, left, right, top, bottom))
    return Grid(width, height, pixels)


def _spans(size: int, pieces: int) -> Iterator[tuple[int, int]]:
    """Return which of `size` pixels each of `pieces` covers, never none."""
    for piece in range(pieces):
        start = piece * size // pieces
        yield start, max((piece + 1) * size // pieces, start + 1)


def _mean(picture: Picture, left: int, right: int, top: int, bottom: int) -> Pixel:
    rgb, stride = picture.rgb, 3 * picture.width
    if right - left == 1 and bottom - top == 1:
        start = top * stride + 3 * left
        return rgb[start], rgb[start + 1], rgb[start + 2]
    count = (right - left) * (bottom - top)
    rows = [rgb[y * stride + 3 * left : y * stride + 3 * right] for y in range(top, bottom)]
    red, green, blue = (sum(sum(row[channel::3]) for row in rows) // count for channel in range(3))
    return red, green, blue


def faded(grid: Grid, picture: Picture, heat: Heat, ground: Pixel) -> Grid:
    """Return `grid`, which shows `picture`, each pixel the nearer to `ground` the less depends on it.

    What lies beyond the map the model has not seen.
    """
    shares = heat.shares()
    side = heat.view * min(picture.width, picture.height)
    across, down = (
        [_place((at + 0.5) / pieces * length, length, side, len(shares)) for at in range(pieces)]
        for pieces, length in ((grid.width, picture.width), (grid.height, picture.height))
    )
    pixels = []
    for number, pixel in enumerate(grid.pixels):
        y, x = divmod(number, grid.width)
        kept = FAINT + (1 - FAINT) * _between(shares, across[x], down[y])
        red, green, blue = (
            round(below + kept * (colour - below))
            for colour, below in zip(pixel, ground, strict=True)
        )
        pixels.append((red, green, blue))
    return grid._replace(pixels=pixels)


def _place(at: float, length: int, side: float, cells: int) -> float | None:
    """Return where `at` of `length` lies among the centres of `cells`, None beyond the middle `side`."""
    place = (at - (length - side) / 2) / side
    return min(max(place * cells - 0.5, 0.0), cells - 1.0) if 0 <= place <= 1 else None


def _between(shares: list[list[float]], x: float | None, y: float | None) -> float:
    """Return the share at a place between the centres of cells, 0 outside of them all."""
    if x is None or y is None:
        return 0.0
    left, top = (min(int(at), len(shares) - 2) for at in (x, y))
    right, below = x - left, y - top
    upper, lower = (
        row[left] + right * (row[left + 1] - row[left]) for row in shares[top : top + 2]
    )
    return upper + below * (lower - upper)


class PictureView(Widget):
    """Shows a `Picture` as large as it fits, in its own shape, in the middle; with a heat map, faded by it."""

    DEFAULT_CSS = """
    PictureView { width: 1fr; height: 1fr; }
    """
    ALLOW_SELECT = False

    def __init__(
        self, picture: Picture | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._picture: Picture | None = None
        self._heat: Heat | None = None
        self._lines: list[list[Segment]] | None = None
        self._margin = (0, 0)
        self.show(picture)

    def show(self, picture: Picture | None, heat: Heat | None = None) -> None:
        """Show `picture`, or nothing; one without its bytes counts as nothing."""
        whole = picture is not None and 0 < 3 * picture.width * picture.height == len(picture.rgb)
        self._picture, self._heat = picture if whole else None, heat
        self._lines = None
        self.refresh()

    def on_resize(self) -> None:
        self._lines = None

    def render(self) -> RenderResult:
        """Return nothing: the lines come from `render_line`."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Return line `y`, the background where the picture is not."""
        if self._lines is None:
            self._lines = list(self._drawn())
        left, top = self._margin
        width = self.size.width
        if not 0 <= y - top < len(self._lines):
            return Strip.blank(width, self.rich_style)
        blank = Segment(" " * left, self.rich_style)
        return Strip([blank, *self._lines[y - top]]).adjust_cell_length(width, self.rich_style)

    def _drawn(self) -> Iterator[list[Segment]]:
        """Draw the picture for the present size; a cell is twice as high as it is wide."""
        picture, (width, height) = self._picture, self.size
        if picture is None or not width or not height:
            return
        columns, rows = fitted(picture, width, 2 * height)
        self._margin = ((width - columns) // 2, (height - (rows + 1) // 2) // 2)
        if getattr(self.app, "ascii_only", False) or "NO_COLOR" in os.environ:
            yield from self._shades(self._grid(picture, columns, max(rows // 2, 1)))
        else:
            yield from _half_blocks(self._grid(picture, columns, rows), self.rich_style)

    def _grid(self, picture: Picture, width: int, height: int) -> Grid:
        grid = resampled(picture, width, height)
        if self._heat is None:
            return grid
        ground = 0 if self.app.current_theme.dark else 255
        return faded(grid, picture, self._heat, (ground, ground, ground))

    def _shades(self, grid: Grid) -> Iterator[list[Segment]]:
        """Return a character a cell, the fuller the further from the background's brightness."""
        shades = SHADES if self.app.current_theme.dark else SHADES[::-1]
        for start in range(0, len(grid.pixels), grid.width):
            row = grid.pixels[start : start + grid.width]
            text = "".join(shades[_luminance(pixel) * len(shades) // 256] for pixel in row)
            yield [Segment(text, self.rich_style)]


def _half_blocks(grid: Grid, base: Style) -> Iterator[list[Segment]]:
    """Return rows of `▀`: the upper pixel is its colour, the lower one its background."""
    for start in range(0, len(grid.pixels), 2 * grid.width):
        upper = grid.pixels[start : start + grid.width]
        lower = grid.pixels[start + grid.width : start + 2 * grid.width]
        if not lower:
            yield [Segment("▀", base + Style(color=Color.from_rgb(*pixel))) for pixel in upper]
            continue
        yield list(_joined_cells(upper, lower))


def _joined_cells(upper: list[Pixel], lower: list[Pixel]) -> Iterator[Segment]:
    """Return the cells of a row, equal neighbours as one segment."""
    start = 0
    for x in range(1, len(upper) + 1):
        if x == len(upper) or (upper[x], lower[x]) != (upper[start], lower[start]):
            style = Style(
                color=Color.from_rgb(*upper[start]), bgcolor=Color.from_rgb(*lower[start])
            )
            yield Segment("▀" * (x - start), style)
            start = x


def _luminance(pixel: Pixel) -> int:
    """Return how bright a pixel is, 0 to 255 (Rec. ITU-R BT.601, luma)."""
    red, green, blue = pixel
    return (299 * red + 587 * green + 114 * blue) // 1000
