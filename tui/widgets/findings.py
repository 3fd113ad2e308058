"""Rows of text of any number: only those on the screen are ever made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.text import safe_text
from tui.findings import Row, broken

HEADINGS = ("warning", "note")
# What would lose its columns, or part of a name, if it were broken at blanks.
KEPT = ("file", "class", "title")


class FindingRows(ScrollView, can_focus=True):
    """Rows broken to the width, so that names of any length are there to their end."""

    ALLOW_SELECT = False
    about = "All that was found. The arrow keys, the page keys, home and end scroll it."
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--plain",
        "rows--class",
        "rows--title",
        "rows--good",
        "rows--bad",
        "rows--warning",
        "rows--note",
        "rows--file",
    }
    DEFAULT_CSS = """
    FindingRows {
        & > .rows--title { text-style: bold; }
        & > .rows--good { color: $text-success; }
        & > .rows--bad { color: $text-error; text-style: bold; }
        & > .rows--warning { color: $text-warning; text-style: bold; }
        & > .rows--note { text-style: bold; }
        & > .rows--file { color: $text-muted; }
    }
    """

    def __init__(self, rows: Sequence[Row], id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows = rows
        # The line on which each row begins, and behind the last one how many lines there are.
        self._begins = [0]
        # The width that they are broken to; a new size may be painted before it is heard of.
        self._width = 0
        self._headings = [n for n, row in enumerate(rows) if row.role in HEADINGS]

    def on_resize(self) -> None:
        """Break the rows to the new width; the first one on the screen stays the first."""
        width = self.scrollable_content_region.width
        if not width or width == self._width:
            return
        first = self._row_at(self.scroll_offset.y)
        self._width = width
        self._begins = [0, *accumulate(_height(row, width) for row in self._rows)]
        self.virtual_size = Size(width, self._begins[-1])
        self.scroll_to(y=self._begins[first], animate=False)
        self.refresh()

    @property
    def last_line(self) -> int:
        """How many lines end on the screen or above it."""
        return min(self.scroll_offset.y + self.size.height, self._begins[-1])

    def render_line(self, y: int) -> Strip:
        """Return line `y` of what is on the screen now."""
        line = self.scroll_offset.y + y
        if line >= self._begins[-1]:
            return Strip.blank(self.size.width, self.rich_style)
        number = self._row_at(line)
        row = self._rows[number]
        text = " " * row.indent + _lines(row, self._width)[line - self._begins[number]]
        style = self.get_component_rich_style(f"rows--{row.role}")
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, self.rich_style)

    def go_to_heading(self, step: int) -> None:
        """Scroll to the next finding, or with -1 to the one before."""
        here = self.scroll_offset.y
        begins = [self._begins[number] for number in self._headings]
        ahead = [b for b in begins if b > here] if step > 0 else [b for b in begins if b < here]
        if ahead:
            self.scroll_to(y=ahead[0] if step > 0 else ahead[-1], animate=False)
        elif step < 0:
            self.scroll_home(animate=False)

    def _row_at(self, line: int) -> int:
        return min(max(bisect_right(self._begins, line) - 1, 0), max(len(self._rows) - 1, 0))


def _height(row: Row, width: int) -> int:
    """Return how many lines `row` takes; quick for names that fit, and for plain ones of any length."""
    room = _room(row, width)
    # What is printable is safe as it is.
    if row.role in KEPT and row.text.isprintable():
        if row.text.isascii():
            return max(-(-len(row.text) // room), 1)
        if 2 * len(row.text) <= room or cell_len(row.text) <= room:
            return 1
    return len(_lines(row, width))


def _lines(row: Row, width: int) -> list[str]:
    """Return the lines of `row`: words are kept whole, names are cut where the line ends."""
    safe, room = safe_text(row.text), _room(row, width)
    if row.role not in KEPT and cell_len(safe) == len(safe):
        return broken(row.text, room)
    return chop_cells(safe, room) or [""]


def _room(row: Row, width: int) -> int:
    # A letter of two cells must fit even where there is hardly any room.
    return max(width - row.indent, 2)
