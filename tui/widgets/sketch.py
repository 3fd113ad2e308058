"""A chart as rows of text with roles, painted by plotext; knows no screen, so any thread may call it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len

from core.text import safe_text
from tui.widgets.glyphs import (
    ASCII,
    FINE,
    Glyphs,
    Role,
    Row,
    line_glyph,
    line_role,
    with_cursor,
)
from tui.widgets.heading import Entry, cut, legend, readings
from tui.widgets.ink import Ink, Painter, Places, cell
from tui.widgets.scales import (
    Axis,
    Point,
    Readings,
    clipped,
    exact,
    finite_points,
    joined,
    thin,
    window_axis,
    x_axis,
    y_axis,
)

# Glyphs stand on the lines this many columns apart, so that lines differ without colour.
_GLYPH_EVERY = 9
# Below this there is no room for axes: the curves get all of it.
SMALLEST_FRAME = (24, 6)
# So many drawings are at hand: what a key has changed, another changes back.
FINISHED_SKETCHES = 6
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

    @cached_property
    def readings(self) -> Readings:
        """What a crosshair reads."""
        return Readings(self.xs, self.ys)


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


class _Picture(NamedTuple):
    """The canvas with its axes: what stands left of each of its rows, and the rows below."""

    canvas: list[Row]
    across: Axis
    left: list[Row]
    below: list[Row]


class _Finished(NamedTuple):
    """What a sketch without its crosshair came to, by the height that the rows over the canvas leave."""

    sketch: Sketch
    curves: list[_Curve]
    pictures: dict[int, _Picture]


class Artist:
    """Draws one chart again and again; what was drawn last is at hand, for a crosshair to move over."""

    def __init__(self, plot: Any) -> None:
        """Take plotext's figure; both are used by one thread at a time."""
        self._painter = Painter(plot)
        self._finished: deque[_Finished] = deque(maxlen=FINISHED_SKETCHES)

    def draw(self, sketch: Sketch) -> list[Row]:
        """Return `sketch.height` rows, each `sketch.width` cells wide."""
        rows = self._rows(sketch, at_hand=False)
        assert rows is not None
        return rows

    def at_hand(self, sketch: Sketch) -> list[Row] | None:
        """Return what `draw` would, if that is all but ready."""
        return self._rows(sketch, at_hand=True)

    def _rows(self, sketch: Sketch, at_hand: bool) -> list[Row] | None:
        glyphs = ASCII if sketch.ascii_only else FINE
        framed = sketch.width >= SMALLEST_FRAME[0] and sketch.height >= SMALLEST_FRAME[1]
        if framed:
            # A free column on the right, so that charts side by side do not run into one another.
            sketch = replace(sketch, width=sketch.width - 1)
        bare = replace(sketch, cursor=None)
        found = next((done for done in self._finished if done.sketch == bare), None)
        if found is None:
            if at_hand:
                return None
            found = _Finished(bare, list(_curves(bare)), {})
            self._finished.append(found)
        curves = found.curves
        if not any(curve.points for curve in curves):
            head = _head(sketch, curves, None, glyphs)[:1]
            return head + _nothing(sketch, sketch.height - len(head))
        head = _head(sketch, curves, _across(sketch, curves, sketch.width), glyphs)
        rows = sketch.height - len(head)
        if rows not in found.pictures:
            if at_hand:
                return None
            picture = _framed if framed else _bare
            found.pictures[rows] = picture(bare, curves, glyphs, self._painter, rows)
        canvas, across, left, below = found.pictures[rows]
        if sketch.cursor is not None:
            canvas = _crossed(sketch.cursor, canvas, across, glyphs)
        return head + [(*edge, *row) for edge, row in zip(left, canvas, strict=True)] + below


def draw(sketch: Sketch, artist: Artist) -> list[Row]:
    """Return `sketch.height` rows, each `sketch.width` cells wide."""
    return artist.draw(sketch)


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
        values = series.readings.at(x, column, ends=series.style == "faint")
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


def _bare(
    sketch: Sketch, curves: list[_Curve], glyphs: Glyphs, painter: Painter, rows: int
) -> _Picture:
    """Return a canvas on all of `rows` rows."""
    across, up = _across(sketch, curves, sketch.width), _up(sketch, curves, rows)
    canvas = _canvas(painter, curves, (across, up), (sketch.width, rows), glyphs)
    return _Picture(canvas, across, [()] * rows, [])


def _framed(
    sketch: Sketch, curves: list[_Curve], glyphs: Glyphs, painter: Painter, rows: int
) -> _Picture:
    """Return a canvas with its y axis on the left, its x axis and the ticks below, on `rows` rows."""
    rows -= 2
    up = _up(sketch, curves, rows)
    ticks = {rows - 1 - cell(up.fraction(value), rows, 4): text for value, text in up.ticks}
    gutter = max((len(text) for text in ticks.values()), default=0)
    columns = sketch.width - gutter - 1
    across = _across(sketch, curves, columns)
    canvas = _canvas(painter, curves, (across, up), (columns, rows), glyphs)
    left: list[Row] = []
    for y in range(rows):
        edge = glyphs.tick_y if y in ticks else glyphs.up
        left.append(((ticks.get(y, "").rjust(gutter), "label"), (edge, "frame")))
    return _Picture(canvas, across, left, _x_axis_rows(sketch, glyphs, across, gutter, columns))


def _x_axis_rows(
    sketch: Sketch, glyphs: Glyphs, axis: Axis, gutter: int, columns: int
) -> list[Row]:
    """Return the line under the canvas, with the axis' name in it, and the row of tick labels."""
    line = [glyphs.across] * columns
    labels = [" "] * (columns + 1)
    free = 0
    for value, text in axis.ticks:
        column = cell(axis.fraction(value), columns, 2)
        start = min(max(column + 1 - len(text) // 2, 0), columns + 1 - len(text))
        if start < free:
            continue
        labels[start : start + len(text)] = text
        line[column] = glyphs.tick_x
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


def _canvas(
    painter: Painter,
    curves: list[_Curve],
    axes: tuple[Axis, Axis],
    size: tuple[int, int],
    glyphs: Glyphs,
) -> list[Row]:
    """Return the curves themselves: faint ones below, marks and glyphs on top."""
    across, up = axes
    ink = Ink(*size)

    def places(points: Sequence[Point]) -> Places:
        return list(
            zip(
                across.fractions([p.x for p in points]),
                up.fractions([p.y for p in points]),
                strict=True,
            )
        )

    tops: list[tuple[Sequence[Point], str, Role]] = []
    order = {"faint": 0, "line": 1, "mark": 2}
    for curve in sorted(curves, key=lambda c: order[c.series.style]):
        glyph = _sample(curve, glyphs)
        if curve.series.style == "mark":
            tops.append((curve.points, glyph, curve.role))
            continue
        points = thin(curve.points, across, size[0])
        runs = joined(points)
        drawn = "" if glyphs.line else glyph
        if curve.series.style == "faint":
            ink.faint(map(places, runs), drawn)
            continue
        ink.line([places(run) for run in runs if len(run) > 1], drawn, curve.role)
        if curve.place:
            tops.append((_spread(points, curve.place, across, size[0]), glyph, curve.role))
        alone = [run[0] for run in runs if len(run) == 1]
        tops.append((alone, "•" if glyph == "━" else glyph, curve.role))
    for marked, glyph, role in tops:
        ink.letters(places(marked), glyph, role)
    return painter.rows(ink.cells, *size)


def _spread(points: list[Point], place: int, across: Axis, width: int) -> list[Point]:
    """Return the points that carry a glyph: some columns apart, not where other lines do."""
    spread, free = [], float(2 * place - 2)
    for point in points:
        at = across.fraction(point.x) * (width - 1)
        if at >= free:
            spread.append(point)
            free = at + _GLYPH_EVERY
    return spread or points[-1:]


def _crossed(cursor: Cursor, canvas: list[Row], across: Axis, glyphs: Glyphs) -> list[Row]:
    """Return the canvas with the crosshair's line in it, where nothing is drawn but faintly."""
    if not across.low <= cursor.x <= across.high:
        return canvas
    columns = sum(len(text) for text, _ in canvas[0]) if canvas else 0
    column = cell(across.fraction(cursor.x), columns, 2)
    return [with_cursor(row, column, glyphs.cursor) for row in canvas]


def _nothing(sketch: Sketch, rows: int) -> list[Row]:
    """Return an empty area with a word on why it is empty."""
    values = any(len(series.ys) for series in sketch.series)
    text = "nothing above 0 to draw" if sketch.log and values else "nothing to draw yet"
    text = text.center(sketch.width) if len(text) <= sketch.width else ""
    return [((text, "label"),) if y == rows // 2 else () for y in range(rows)]
