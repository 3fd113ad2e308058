"""How likely each class is: a name, a bar and a percentage a row, the likeliest first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.app import RenderResult
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from core.text import safe_text

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PERCENT = 7  # as in "100.0 %"
_SMALLEST_BAR = 4


class ProbabilityBars(Widget):
    """A row a class, as many as fit, and how many more there are."""

    DEFAULT_CSS = """
    ProbabilityBars {
        width: 1fr;
        height: auto;
        & > .bars--best { color: $text-success; text-style: bold; }
        & > .bars--unsure { color: $text-warning; text-style: bold; }
        & > .bars--other { color: $foreground; }
        & > .bars--bar { color: $foreground 50%; }
        & > .bars--more { color: $text-muted; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "bars--best",
        "bars--unsure",
        "bars--other",
        "bars--bar",
        "bars--more",
    }
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._bars: list[tuple[str, float]] = []
        self._sure = True

    def show(self, probabilities: Mapping[str, float], sure: bool) -> None:
        """Show the classes with their probabilities, 0 to 1; the first is marked if not `sure`."""
        named = [(safe_text(name), _part(value)) for name, value in probabilities.items()]
        self._bars = sorted(named, key=lambda pair: -pair[1])
        self._sure = sure
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(len(self._bars), 1)

    def render(self) -> RenderResult:
        """Return nothing: the lines come from `render_line`."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Return row `y`; the last one says how many classes did not fit."""
        width, height = self.size
        fits = len(self._bars) <= height
        shown = len(self._bars) if fits else height - 1
        if y < shown:
            parts = self._row(y, width, shown)
        elif not fits and y == shown:
            more = len(self._bars) - shown
            dots = "..." if self._ascii_only else "…"
            parts = [(f"{dots} {more:,} more", "more")]
        else:
            parts = []
        style = self.get_component_rich_style
        segments = [Segment(text, style(f"bars--{part}")) for text, part in parts if text]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    @property
    def _ascii_only(self) -> bool:
        return getattr(self.app, "ascii_only", False)

    def _row(self, y: int, width: int, shown: int) -> list[tuple[str, str]]:
        """Return a row's parts with their styles; where room is short the bar goes before the name."""
        name, part = self._bars[y]
        colour = "other" if y else ("best" if self._sure else "unsure")
        percent = f"{100 * part:.1f} %".rjust(_PERCENT)
        if not y and not self._sure:
            percent += " ?"
        room = width - _PERCENT - 2 - 2
        name_room = self._name_room(room, shown)
        bar_room = room - name_room
        text = _cut(name, name_room, "~" if self._ascii_only else "…")
        if bar_room < _SMALLEST_BAR:
            return [(text, colour), (" ", colour), (percent, colour)]
        bar = _bar(part, bar_room, self._ascii_only)
        return [
            (f"{text} ", colour),
            (bar, "bar" if y else colour),
            (f" {percent}", colour),
        ]

    def _name_room(self, room: int, shown: int) -> int:
        """Return how wide the names' column is: the longest name, at most half of the row."""
        longest = max(cell_len(name) for name, _ in self._bars[:shown])
        if room // 2 < _SMALLEST_BAR:
            return max(min(longest, room), 1)
        return min(longest, max(room // 2, 1))


def _part(value: float) -> float:
    """Return `value` as a part of one; what is no number counts as nothing."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def _cut(text: str, width: int, more: str) -> str:
    """Return `text` in exactly `width` cells."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + more
    return set_cell_size(text, width)


def _bar(part: float, width: int, ascii_only: bool) -> str:
    """Return a bar of `width` cells, filled by eighths of a cell; what is above 0 is never empty."""
    eighths = max(round(8 * width * part), 1 if part > 0 else 0)
    if ascii_only:
        return ("#" * round(eighths / 8)).ljust(width, ".")
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest].strip()).ljust(width)
