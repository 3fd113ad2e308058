"""A chart as rows of text with roles, drawn by plotext; knows no screen, so any thread may call it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

from core.text import safe_text
from tui.widgets.scales import Axis, Point, finite_points, joined, thin, x_axis, y_axis

LINE_COLOURS = 5
Role = Literal[
    "title", "label", "frame", "faint", "mark", "line-0", "line-1", "line-2", "line-3", "line-4"
]
# plotext carries a colour number a cell; here the number is a place in this list.
_ROLES: tuple[Role, ...] = (
    *("title", "label", "frame", "faint", "mark"),
    *("line-0", "line-1", "line-2", "line-3", "line-4"),
)
Row = tuple[tuple[str, Role], ...]

_COLOUR = re.compile(r"\x1b\[(?:38;5;(\d+)|0)m")
# Glyphs stand on the lines this many columns apart, so that lines differ without colour.
_GLYPH_EVERY = 9
# Below this there is no room for axes: the curves get all of it.
SMALLEST_FRAME = (24, 6)


class Glyphs(NamedTuple):
    """The characters that a chart is drawn with."""

    line: str
    lines: tuple[str, ...]
    faint: str
    mark: str
    corner: str
    across: str
    up: str
    tick_x: str
    tick_y: str
    more: str


FINE = Glyphs(
    "braille", ("━", "●", "▲", "■", "◆", "○", "△", "□"), "⠒", "★", "└", "─", "│", "┬", "┤", "…"
)
ASCII = Glyphs("", (".", "o", "x", "+", "#", "@", "%", "&"), ":", "*", "+", "-", "|", "+", "+", "~")


@dataclass(frozen=True)
class Series:
    """A named curve; it is drawn in order of x, and what is not finite is a gap in it.

    `faint` lies under the lines (raw values under their mean), `mark` is one point on top.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: Literal["line", "faint", "mark"] = "line"


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """All that decides how a chart looks, but for its colours."""

    title: str
    series: tuple[Series, ...]
    x_label: str = ""
    x_limit: float | None = None
    percent: bool = False
    log: bool = False
    ascii_only: bool = False
    width: int
    height: int


class _Curve(NamedTuple):
    """A series with what can be drawn of it, its role, and its place among the lines."""

    series: Series
    points: list[Point]
    role: Role
    place: int


def draw(sketch: Sketch, plot: Any) -> list[Row]:
    """Return `sketch.height` rows, each `sketch.width` cells wide; `plot` is plotext's figure."""
    glyphs = ASCII if sketch.ascii_only else FINE
    framed = sketch.width >= SMALLEST_FRAME[0] and sketch.height >= SMALLEST_FRAME[1]
    if framed:
        # A free column on the right, so that charts side by side do not run into one another.
        sketch = replace(sketch, width=sketch.width - 1)
    curves = list(_curves(sketch))
    head = [_heading(sketch, curves, glyphs)] if sketch.height >= 3 else []
    if not any(curve.points for curve in curves):
        return head + _nothing(sketch, sketch.height - len(head))
    if framed:
        return head + _framed(sketch, curves, glyphs, plot, sketch.height - 3)
    width, height = sketch.width, sketch.height - len(head)
    axes = _across(sketch, curves, width), _up(sketch, curves, height)
    return head + _canvas(plot, curves, axes, (width, height), glyphs)


def _curves(sketch: Sketch) -> Iterator[_Curve]:
    index = 0
    for series in sketch.series:
        points = finite_points(series.xs, series.ys, sketch.log)
        if series.style == "line":
            yield _Curve(series, points, _ROLES[5 + index % LINE_COLOURS], index)
            index += 1
        else:
            yield _Curve(series, points, series.style, 0)


def _heading(sketch: Sketch, curves: list[_Curve], glyphs: Glyphs) -> Row:
    """Return the title on the left and the legend on the right, cut so that both fit."""
    title = safe_text(sketch.title)
    entries = [(_sample(c, glyphs), safe_text(c.series.label), c.role) for c in curves]
    entries = [entry for entry in entries if entry[1]]
    labels = [label for _, label, _ in entries]
    gap = 2
    if _heading_width(title, labels, gap) > sketch.width:
        gap = 1
    while _heading_width(title, labels, gap) > sketch.width and labels:
        longest = max(range(len(labels)), key=lambda i: cell_len(labels[i]))
        room = cell_len(labels[longest]) - 1
        if room < 3:
            break
        labels[longest] = _cut(labels[longest], room, glyphs.more)
    row: list[tuple[str, Role]] = [(_cut(title, sketch.width, glyphs.more), "title")]
    left = sketch.width - cell_len(row[0][0])
    needed = _heading_width("", labels, gap)
    if entries and needed <= left:
        row.append((" " * (left - needed), "title"))
        for (sample, _, role), label in zip(entries, labels, strict=True):
            row += [(" " * gap, "label"), (sample, role), (f" {label}", "label")]
    return tuple(row)


def _heading_width(title: str, labels: list[str], gap: int) -> int:
    return cell_len(title) + sum(gap + 2 + cell_len(label) for label in labels)


def _sample(curve: _Curve, glyphs: Glyphs) -> str:
    if curve.series.style == "mark":
        return glyphs.mark
    if curve.series.style == "faint":
        return glyphs.faint
    return glyphs.lines[curve.place % len(glyphs.lines)]


def _cut(text: str, width: int, more: str) -> str:
    """Return `text` in at most `width` cells; wide characters are never halved."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + more if width > 0 else ""


def _across(sketch: Sketch, curves: list[_Curve], columns: int) -> Axis:
    return x_axis([p.x for c in curves for p in c.points], sketch.x_limit, columns)


def _up(sketch: Sketch, curves: list[_Curve], rows: int) -> Axis:
    ys = [p.y for c in curves for p in c.points]
    return y_axis(ys, rows, percent=sketch.percent, log=sketch.log)


def _framed(
    sketch: Sketch, curves: list[_Curve], glyphs: Glyphs, plot: Any, rows: int
) -> list[Row]:
    """Return the canvas with its y axis on the left, its x axis and the ticks below."""
    up = _up(sketch, curves, rows)
    ticks = {rows - 1 - _cell(up.fraction(value), rows, 4): text for value, text in up.ticks}
    gutter = max((len(text) for text in ticks.values()), default=0)
    columns = sketch.width - gutter - 1
    across = _across(sketch, curves, columns)
    framed: list[Row] = []
    for y, row in enumerate(_canvas(plot, curves, (across, up), (columns, rows), glyphs)):
        text = ticks.get(y, "").rjust(gutter)
        edge = glyphs.tick_y if y in ticks else glyphs.up
        framed.append(((text, "label"), (edge, "frame"), *row))
    return framed + _x_axis_rows(sketch, glyphs, across, gutter, columns)


def _x_axis_rows(
    sketch: Sketch, glyphs: Glyphs, axis: Axis, gutter: int, columns: int
) -> list[Row]:
    """Return the line under the canvas, with the axis' name in it, and the row of tick labels."""
    line = [glyphs.across] * columns
    labels = [" "] * (columns + 1)
    free = 0
    for value, text in axis.ticks:
        cell = _cell(axis.fraction(value), columns, 2)
        start = min(max(cell + 1 - len(text) // 2, 0), columns + 1 - len(text))
        if start < free:
            continue
        labels[start : start + len(text)] = text
        line[cell] = glyphs.tick_x
        free = start + len(text) + 1
    name = _cut(safe_text(sketch.x_label), max(columns // 3, 0), glyphs.more)
    room = columns - cell_len(name) - 3
    edge: Row = ((" " * gutter + glyphs.corner + "".join(line), "frame"),)
    if name and room > 0:
        edge = (
            (" " * gutter + glyphs.corner + "".join(line[:room]), "frame"),
            (f" {name} ", "label"),
            ("".join(line[-1:]), "frame"),
        )
    return [edge, ((" " * gutter + "".join(labels), "label"),)]


def _cell(fraction: float, cells: int, dots: int) -> int:
    """Return the cell that holds the dot where plotext draws `fraction`, `dots` a cell."""
    return int(fraction * (cells * dots - 1) + 0.5) // dots


def _canvas(
    plot: Any,
    curves: list[_Curve],
    axes: tuple[Axis, Axis],
    size: tuple[int, int],
    glyphs: Glyphs,
) -> list[Row]:
    """Return the curves themselves: faint ones below, marks on top."""
    canvas = Canvas(plot, axes, size, glyphs)
    order = {"faint": 0, "line": 1, "mark": 2}
    for curve in sorted(curves, key=lambda c: order[c.series.style]):
        canvas.add(curve)
    return canvas.rows()


def _nothing(sketch: Sketch, rows: int) -> list[Row]:
    """Return an empty area with a word on why it is empty."""
    values = any(len(series.ys) for series in sketch.series)
    text = "nothing above 0 to draw" if sketch.log and values else "nothing to draw yet"
    text = text.center(sketch.width) if len(text) <= sketch.width else ""
    return [((text, "label"),) if y == rows // 2 else () for y in range(rows)]


class Canvas:
    """The area inside the axes: every number is brought to 0..1 before plotext sees it."""

    def __init__(
        self, plot: Any, axes: tuple[Axis, Axis], size: tuple[int, int], glyphs: Glyphs
    ) -> None:
        self._plot, self._glyphs = plot, glyphs
        self._across, self._up = axes
        self._width, self._height = size
        self._tops: list[tuple[list[Point], str, int]] = []
        self._lines: list[list[Point]] = []
        prepare(plot, self._width, self._height)

    def add(self, curve: _Curve) -> None:
        """Draw a curve; its glyphs are kept back until all the lines are there."""
        points, colour = curve.points, _ROLES.index(curve.role)
        glyph = _sample(curve, self._glyphs)
        if curve.series.style == "mark":
            self._tops.append((points, glyph, colour))
            return
        points = thin(points, self._across, self._width)
        runs = joined(points)
        alone = [run[0] for run in runs if len(run) == 1]
        for run in runs:
            if len(run) > 1:
                self._line(run, self._glyphs.line or glyph, colour)
        if curve.series.style == "faint":
            self._scatter(alone, self._glyphs.line or glyph, colour)
            return
        self._lines += [run for run in runs if len(run) > 1]
        if curve.place:
            self._tops.append((self._spread(points, curve.place), glyph, colour))
        self._tops.append((alone, "•" if glyph == "━" else glyph, colour))

    def rows(self) -> list[Row]:
        for points, glyph, colour in self._tops:
            self._scatter(points, glyph, colour)
        rows = [tuple(_runs(line)) for line in self._built()]
        if len(self._lines) < 2 or not self._glyphs.line:
            return rows
        return [_merged(row, dots) for row, dots in zip(rows, self._all_dots(), strict=True)]

    def _built(self) -> list[str]:
        lines: list[str] = self._plot.build().split("\n")
        return lines[: self._height]

    def _all_dots(self) -> list[str]:
        """Return the dots of all lines together; plotext shows in a cell only those of the last."""
        prepare(self._plot, self._width, self._height)
        xs, ys = [], []
        for run in self._lines:
            run_xs, run_ys = self._places(run, self._glyphs.line)
            xs += [*run_xs, math.nan]
            ys += [*run_ys, math.nan]
        self._plot.plot(xs, ys, marker=self._glyphs.line, color=0)
        return [_COLOUR.sub("", line) for line in self._built()]

    def _line(self, points: list[Point], marker: str, colour: int) -> None:
        self._plot.plot(*self._places(points, marker), marker=marker, color=colour)

    def _scatter(self, points: list[Point], marker: str, colour: int) -> None:
        if points:
            self._plot.scatter(*self._places(points, marker), marker=marker, color=colour)

    def _places(self, points: list[Point], marker: str) -> tuple[list[float], list[float]]:
        """Return 0..1 coordinates; those of characters hit the cell of the dots that they mark."""
        xs = [self._across.fraction(p.x) for p in points]
        ys = [self._up.fraction(p.y) for p in points]
        if marker == "braille":
            return xs, ys
        return (
            [_cell(x, self._width, 2) / max(self._width - 1, 1) for x in xs],
            [_cell(y, self._height, 4) / max(self._height - 1, 1) for y in ys],
        )

    def _spread(self, points: list[Point], index: int) -> list[Point]:
        """Return the points that carry a glyph: some columns apart, not where other lines do."""
        spread, free = [], float(2 * index - 2)
        for point in points:
            cell = self._across.fraction(point.x) * (self._width - 1)
            if cell >= free:
                spread.append(point)
                free = cell + _GLYPH_EVERY
        return spread or points[-1:]


def prepare(plot: Any, width: int, height: int) -> None:
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


def _merged(row: Row, dots: str) -> Row:
    """Return `row` with all the dots of lines that meet in a cell, in the colour of the last."""
    merged: list[tuple[str, Role]] = []
    column = 0
    for text, role in row:
        if role.startswith("line-"):
            below = dots[column : column + len(text)]
            pairs = zip(text, below, strict=True)
            merged.append(
                ("".join(b if _is_dots(t) and _is_dots(b) else t for t, b in pairs), role)
            )
        else:
            merged.append((text, role))
        column += len(text)
    return tuple(merged)


def _is_dots(character: str) -> bool:
    return "\u2800" <= character <= "\u28ff"


def _runs(line: str) -> Iterator[tuple[str, Role]]:
    """Return the text of a line in plotext's colours, split by role."""
    role: Role = "label"
    position = 0
    for match in _COLOUR.finditer(line):
        if text := line[position : match.start()]:
            yield text, role
        role = _ROLES[int(match[1])] if match[1] else "label"
        position = match.end()
    if text := line[position:]:
        yield text, role
