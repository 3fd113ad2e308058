"""Lines of a few widgets to the terminal at once, past Textual's compositor.

That goes through all widgets of the screen for each repaint, which costs more than drawing a chart's
lines does. It builds on names that Textual does not promise to keep; `tests/terminal/test_upstream.py`
fails when one of them changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget


def paint(widget: Widget, lines: Sequence[int]) -> bool:
    """Show `lines` of `widget`, counted from its top, as they are now; tell whether that could be done.

    It cannot where the widget is not seen whole, something lies over it, or all is about to be laid out
    anew. The widget must have no border and no padding.
    """
    app, screen = widget.app, widget.screen
    region = _uncovered(widget) if _stands(screen) else None
    if region is None:
        return False
    widget._styles_cache.set_dirty(*(Region(0, y, region.width, 1) for y in lines))
    app._display(screen, _Lines(_drawn(widget, region, lines)))  # type: ignore[arg-type]  # as from its compositor
    return True


def paint_waiting(screen: Screen[Any], kind: type[Widget]) -> None:
    """Show the widgets of `screen` that wait to be painted, if all are of `kind`, without children, and can be."""
    app, waiting = screen.app, list(screen._dirty_widgets)
    if not _stands(screen) or screen._scroll_required or screen._repaint_required:
        return
    if not waiting or not all(isinstance(widget, kind) for widget in waiting):
        return
    places = [_uncovered(widget) for widget in waiting]
    if None in places:
        return
    drawn: list[_Line] = []
    for widget, region in zip(waiting, places, strict=True):
        assert region is not None
        parts = widget._exchange_repaint_regions()
        lines = sorted({y for part in parts for y in part.line_range if 0 <= y < region.height})
        drawn += _drawn(widget, region, lines) if lines else []
    screen._dirty_widgets.clear()
    if drawn:
        app._display(screen, _Lines(drawn))  # type: ignore[arg-type]


def _stands(screen: Screen[Any]) -> bool:
    """Tell whether `screen` is shown now, and its widgets stay where they are."""
    app = screen.app
    return app.screen is screen and not screen._layout_required and not app._batch_count


def _drawn(widget: Widget, region: Region, lines: Sequence[int]) -> list[_Line]:
    """Return `lines` of `widget`, which lies at `region`, and where they go."""
    first = min(lines)
    strips = widget.render_lines(Region(0, first, region.width, max(lines) + 1 - first))
    return [_Line(region.x, region.y + y, strips[y - first]) for y in lines]


def _uncovered(widget: Widget) -> Region | None:
    """Return where the widget is on the screen, None where not all of it is seen."""
    shown = widget.screen._compositor.visible_widgets
    if widget not in shown:
        return None
    region, clip = shown[widget]
    if not clip.contains_region(region):
        return None
    around = set(widget.ancestors_with_self)
    covered = any(
        other not in around and place.intersection(other_clip).overlaps(region)
        for other, (place, other_clip) in shown.items()
    )
    return None if covered else region


class _Line(NamedTuple):
    """A line and its place on the screen."""

    x: int
    y: int
    strip: Strip


class _Lines(CompositorUpdate):
    """Some lines, as Textual wants them from its compositor."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = lines

    def render_segments(self, console: Console) -> str:
        """Return the lines, each behind the move to its place."""
        return "".join(
            f"\x1b[{line.y + 1};{line.x + 1}H{line.strip.render(console)}" for line in self._lines
        )
