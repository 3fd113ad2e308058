"""Lines of one widget to the terminal at once, past Textual's compositor.

That goes through all widgets of the screen for each repaint, which costs more than drawing a chart's
lines does. It builds on names that Textual does not promise to keep; `tests/terminal/test_upstream.py`
fails when one of them changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def paint(widget: Widget, lines: Sequence[int]) -> bool:
    """Show `lines` of `widget`, counted from its top, as they are now; tell whether that could be done.

    It cannot where the widget is not seen whole, something lies over it, or all is about to be laid out
    anew. The widget must have no border and no padding.
    """
    app, screen = widget.app, widget.screen
    if app.screen is not screen or screen._layout_required or app._batch_count:
        return False
    region = _uncovered(widget)
    if region is None:
        return False
    widget._styles_cache.set_dirty(*(Region(0, y, region.width, 1) for y in lines))
    first = min(lines)
    strips = widget.render_lines(Region(0, first, region.width, max(lines) + 1 - first))
    update = _Lines(region, [(y, strips[y - first]) for y in lines])
    app._display(screen, update)  # type: ignore[arg-type]  # as it takes its compositor's
    return True


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


class _Lines(CompositorUpdate):
    """Some lines of a region, as Textual wants them from its compositor."""

    def __init__(self, region: Region, lines: Sequence[tuple[int, Strip]]) -> None:
        self._region = region
        self._lines = lines

    def render_segments(self, console: Console) -> str:
        """Return the lines, each behind the move to its place."""
        left, top = self._region.x + 1, self._region.y + 1
        return "".join(f"\x1b[{top + y};{left}H{strip.render(console)}" for y, strip in self._lines)
