"""Curves that grow while you watch: a chart that never blocks the keys and never crashes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.app import RenderResult
from textual.geometry import Region
from textual.strip import Strip
from textual_plotext import PlotextPlot

from tui.at_once import paint
from tui.widgets.glyphs import Row
from tui.widgets.sketch import Artist, Cursor, Series, Sketch, draw

__all__ = ["Chart", "Cursor", "Series"]

Curves = Sequence[Series] | Callable[[], Sequence[Series]]

# One thread for all charts: with a thread each, they compete with the screen for the interpreter.
_BUILDER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chart")
# Held by whoever draws: plotext and what curves remember are for one at a time.
_DRAWS = threading.Lock()
# What a key waits for and took no longer the last time is drawn at once: to hand it over and back takes as
# long, beside a training on all cores.
_QUICK_SECONDS = 0.008


class Chart(PlotextPlot):
    """Curves over a common x axis, drawn in a background thread, repainted line by line."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--title",
        "chart--label",
        "chart--frame",
        "chart--faint",
        "chart--mark",
        "chart--cursor",
        "chart--line-0",
        "chart--line-1",
        "chart--line-2",
        "chart--line-3",
        "chart--line-4",
    }
    DEFAULT_CSS = """
    Chart {
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--label { color: $text-muted; }
        & > .chart--frame { color: $foreground 40%; }
        & > .chart--faint { color: $foreground 30%; }
        & > .chart--mark { color: $foreground; text-style: bold; }
        & > .chart--cursor { color: $foreground 80%; }
        & > .chart--line-0 { color: $text-primary; }
        & > .chart--line-1 { color: $text-accent; }
        & > .chart--line-2 { color: $text-error; }
        & > .chart--line-3 { color: $text-success; }
        & > .chart--line-4 { color: $text-secondary; }
    }
    """

    def __init__(
        self,
        title: str,
        *,
        percent: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Name the chart; with `percent` the ys are parts of one, shown as percent."""
        super().__init__(id=id, classes=classes)
        self._title = title
        self._percent = percent
        self._log_scale = False
        self._curves: Curves = ()
        self._x_label = "epoch"
        self._x_limit: float | None = None
        self._x_range: tuple[float, float] | None = None
        self._cursor: Cursor | None = None
        self._rows: list[Row] = []
        self._artist = Artist(self.plt)
        # The series that were drawn last, and what made them.
        self._made: tuple[Curves, tuple[Series, ...]] = ((), ())
        # Counts what was asked for and what is on the screen: equal means up to date.
        self._wanted = self._drawn = 0
        self._drawing = False
        # The processor's time for the last drawing.
        self._seconds = float("inf")

    def show(
        self,
        curves: Curves,
        x_label: str = "epoch",
        x_limit: float | None = None,
        x_range: tuple[float, float] | None = None,
        cursor: Cursor | None = None,
        for_key: bool = False,
    ) -> None:
        """Draw `curves`, whose numbers must not change afterwards.

        A function that returns them is called by whoever draws: a thread, or `for_key`, where somebody
        waits for what has been drawn before in another way, this one if it is quick. The x axis is
        `x_range`, or goes from 0 to `x_limit`, or without either as far as the data.
        """
        self._curves = curves if callable(curves) else tuple(curves)
        self._x_label, self._x_limit, self._x_range = x_label, x_limit, x_range
        self._cursor = cursor
        self._redraw(for_key)

    @property
    def log_scale(self) -> bool:
        """Whether the y axis is logarithmic; values that are not above 0 are gaps then."""
        return self._log_scale

    @log_scale.setter
    def log_scale(self, log_scale: bool) -> None:
        if log_scale != self._log_scale:
            self._log_scale = log_scale
            self._redraw(for_key=True)

    def on_resize(self) -> None:
        self._redraw()

    def render(self) -> RenderResult:
        """Return nothing: the lines come from `render_line`."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Return line `y` in the colours that the theme has now."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        style = self.get_component_rich_style
        return Strip([Segment(text, style(f"chart--{role}")) for text, role in self._rows[y]])

    def _redraw(self, for_key: bool = False) -> None:
        """Have the chart drawn anew, once, however often this is called meanwhile."""
        self._wanted += 1
        if self._drawing or (sketch := self._sketch()) is None:
            return
        curves, series = self._made
        if curves is self._curves and (
            rows := self._artist.at_hand(replace(sketch, series=series))
        ):
            # Nobody else draws now, and this takes no longer than to have it done.
            self._drawn = self._wanted
            self._paint(rows)
            return
        if for_key and self._seconds <= _QUICK_SECONDS and _DRAWS.acquire(blocking=False):
            try:
                self._take(_drawn(sketch, self._curves, self._artist), self._curves, self._wanted)
            finally:
                _DRAWS.release()
            return
        self._drawing = True
        self.run_worker(self._draw_until_current(), group="chart")

    def _sketch(self) -> Sketch | None:
        """Return what to draw now, or None while it is hidden: it has no size then."""
        width, height = self.size
        if not width or not height or not self.is_attached:
            return None
        return Sketch(
            title=self._title,
            series=(),
            x_label=self._x_label,
            x_limit=self._x_limit,
            x_range=self._x_range,
            cursor=self._cursor,
            percent=self._percent,
            log=self._log_scale,
            ascii_only=getattr(self.app, "ascii_only", False),
            width=width,
            height=height,
        )

    async def _draw_until_current(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._drawn != self._wanted and (sketch := self._sketch()) is not None:
                wanted = self._wanted
                curves, artist = self._curves, self._artist
                done = await loop.run_in_executor(_BUILDER, _drawn_alone, sketch, curves, artist)
                self._take(done, curves, wanted)
        finally:
            self._drawing = False

    def _take(self, drawing: _Drawing, curves: Curves, wanted: int) -> None:
        """Show what was drawn."""
        self._seconds = drawing.seconds
        self._made, self._drawn = (curves, drawing.series), wanted
        self._paint(drawing.rows)

    def _paint(self, rows: list[Row]) -> None:
        """Put `rows` on the screen; of their cells `tui/canvas.py` sends those that differ."""
        before, self._rows = self._rows, rows
        if len(before) != len(rows):
            self.refresh()
            return
        pairs = enumerate(zip(before, rows, strict=True))
        changed = [y for y, (old, new) in pairs if old != new]
        if changed and not paint(self, changed):
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))


class _Drawing(NamedTuple):
    """What was drawn, and the processor's time that it took."""

    series: tuple[Series, ...]
    rows: list[Row]
    seconds: float


def _drawn(sketch: Sketch, curves: Curves, artist: Artist) -> _Drawing:
    began = time.thread_time()
    series = tuple(curves() if callable(curves) else curves)
    rows = draw(replace(sketch, series=series), artist)
    return _Drawing(series, rows, time.thread_time() - began)


def _drawn_alone(sketch: Sketch, curves: Curves, artist: Artist) -> _Drawing:
    with _DRAWS:
        return _drawn(sketch, curves, artist)
