"""A chart as rows of text with roles, drawn by plotext; knows no screen, so any thread may call it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len

from core.text import safe_text
from tui.widgets.glyphs import (
    ASCII,
    FINE,
    ROLES,
    Glyphs,
    Role,
    Row,
    line_glyph,
    line_role,
    with_cursor,
    with_dots,
)
from tui.widgets.heading import Entry, cut, legend, readings
from tui.widgets.scales import (
    Axis,
    Point,
    clipped,
    exact,
    finite_points,
    joined,
    thin,
    values_at,
    window_axis,
    x_axis,
    y_axis,
)

_COLOUR = re.compile(r"\x1b\[(?:38;5;(\d+)|0)m")
# Glyphs stand on the lines this many columns apart, so that lines differ without colour.
_GLYPH_EVERY = 9
# Below this there is no room for axes: the curves get all of it.
SMALLEST_FRAME = (24, 6)
# From this height on, what the crosshair reads may take a row of its own.
LEAST_FOR_TWO_HEAD_ROWS = 8


@dataclass(frozen=True)
class Series:
    """A named curve; it is drawn in order of x, and what is not finite is a gap in it.

    `faint` lies under the lines (raw values under their mean), `mark` is one point on top.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: Literal["line", "faint", "mark"] = "line"


class Cursor(NamedTuple):
    """A crosshair: where it stands on the x axis, and how to say so."""

    x: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """All that decides how a chart looks, but for its colours.

    `x_range` is the part of the x axis to look at; without it all is shown, up to `x_limit` at least.
    """

    title: str
    series: tuple[Series, ...]
    x_label: str = ""
    x_limit: float | None = None
    x_range: tuple[float, float] | None = None
    cursor: Cursor | None = None
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
    if not any(curve.points for curve in curves):
        head = _head(sketch, curves, None, glyphs)[:1]
        return head + _nothing(sketch, sketch.height - len(head))
    head = _head(sketch, curves, _across(sketch, curves, sketch.width), glyphs)
    if framed:
        return head + _framed(sketch, curves, glyphs, plot, sketch.height - len(head) - 2)
    width, height = sketch.width, sketch.height - len(head)
    axes = _across(sketch, curves, width), _up(sketch, curves, height)
    canvas = _canvas(plot, curves, axes, (width, height), glyphs)
    return head + _crossed(sketch, canvas, axes[0], width)


def _curves(sketch: Sketch) -> Iterator[_Curve]:
    index = 0
    for series in sketch.series:
        points = finite_points(series.xs, series.ys, sketch.log)
        if sketch.x_range is not None:
            points = clipped(points, *sketch.x_range)
        if series.style == "line":
            yield _Curve(series, points, line_role(index), index)
            index += 1
        else:
            yield _Curve(series, points, series.style, 0)


def _head(sketch: Sketch, curves: list[_Curve], across: Axis | None, glyphs: Glyphs) -> list[Row]:
    """Return the rows over the canvas: one or two, none where there is no room."""
    if sketch.height < 3:
        return []
    title = safe_text(sketch.title)
    if sketch.cursor is None or across is None:
        entries = [Entry(_sample(c, glyphs), c.role, safe_text(c.series.label)) for c in curves]
        return [legend(title, [e for e in entries if e.label], sketch.width, glyphs.more)]
    x, where = sketch.cursor
    column = across.span / sketch.width
    entries = []
    for curve in curves:
        series = curve.series
        values = values_at(series.xs, series.ys, x, column, ends=series.style == "faint")
        if values or series.style == "line":
            value = glyphs.to.join(exact(v, sketch.percent) for v in values) or glyphs.none
            label = safe_text(series.label)
            entries.append(Entry(_sample(curve, glyphs), curve.role, label, value))
    rows = 2 if sketch.height >= LEAST_FOR_TWO_HEAD_ROWS else 1
    return readings(title, safe_text(where), entries, sketch.width, rows, glyphs.more)


def _sample(curve: _Curve, glyphs: Glyphs) -> str:
    if curve.series.style == "mark":
        return glyphs.mark
    if curve.series.style == "faint":
        return glyphs.faint
    return line_glyph(curve.place, glyphs)


def _across(sketch: Sketch, curves: list[_Curve], columns: int) -> Axis:
    if sketch.x_range is not None:
        return window_axis(*sketch.x_range, columns)
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
    canvas = _canvas(plot, curves, (across, up), (columns, rows), glyphs)
    for y, row in enumerate(_crossed(sketch, canvas, across, columns)):
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
    name = cut(safe_text(sketch.x_label), max(columns // 3, 0), glyphs.more)
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


def _crossed(sketch: Sketch, canvas: list[Row], across: Axis, columns: int) -> list[Row]:
    """Return the canvas with the crosshair's line in it, where nothing is drawn but faintly."""
    cursor = sketch.cursor
    if cursor is None or not across.low <= cursor.x <= across.high:
        return canvas
    column = _cell(across.fraction(cursor.x), columns, 2)
    glyph = (ASCII if sketch.ascii_only else FINE).cursor
    return [with_cursor(row, column, glyph) for row in canvas]


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
        points, colour = curve.points, ROLES.index(curve.role)
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
        return [with_dots(row, dots) for row, dots in zip(rows, self._all_dots(), strict=True)]

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


def _runs(line: str) -> Iterator[tuple[str, Role]]:
    """Return the text of a line in plotext's colours, split by role."""
    role: Role = "label"
    position = 0
    for match in _COLOUR.finditer(line):
        if text := line[position : match.start()]:
            yield text, role
        role = ROLES[int(match[1])] if match[1] else "label"
        position = match.end()
    if text := line[position:]:
        yield text, role
