"""A list of any length of which only the lines in sight are drawn."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.command import bindings
from tui.commands import PAGED_LIST

# What a line is made of: pieces of text, each with the part that it plays.
Part = Literal["plain", "faint", "doubt", "error"]
Draw = Callable[[int, int], Sequence[tuple[str, Part]]]


class Rows(ScrollView, can_focus=True):
    """Shows `indices`, each drawn by `draw(index, width)`; keys move a cursor over them."""

    BINDINGS = bindings(*PAGED_LIST)
    DEFAULT_CSS = """
    Rows {
        background: $background;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .rows--plain { color: $foreground; }
        & > .rows--faint { color: $foreground 60%; }
        & > .rows--doubt { color: $text-warning; }
        & > .rows--error { color: $text-error; }
        & > .rows--marked { background: $panel; text-style: bold; }
        &:focus > .rows--marked {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: bold;
        }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--plain",
        "rows--faint",
        "rows--doubt",
        "rows--error",
        "rows--marked",
    }
    ALLOW_SELECT = False

    @dataclass
    class Marked(Message):
        """The cursor is on another line, or on none."""

        rows: Rows
        index: int | None

        @property
        def control(self) -> Rows:
            return self.rows

    def __init__(self, draw: Draw, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._indices: Sequence[int] = ()
        self._cursor = 0
        self._told: int | None = None

    @property
    def marked(self) -> int | None:
        """The index on the line under the cursor."""
        return self._indices[self._cursor] if self._cursor < len(self._indices) else None

    def show(self, indices: Sequence[int], keep: bool = True) -> None:
        """Show these; with `keep` the cursor stays on its index, else the first line is marked."""
        marked = self.marked
        self._indices = indices
        if not keep or not self._cursor:
            self._cursor = 0
        elif marked is not None and self.marked != marked and marked in indices:
            self._cursor = indices.index(marked)
        self._cursor = min(self._cursor, max(len(indices) - 1, 0))
        self.virtual_size = Size(self.size.width, len(indices))
        self._tell()
        self.refresh()
        if not keep:
            self.scroll_to(0, 0, animate=False)

    def mark(self, index: int) -> None:
        """Put the cursor on the line of `index`, if there is one."""
        if index in self._indices:
            self._move(self._indices.index(index) - self._cursor)

    def touch(self, changed: Container[int]) -> None:
        """Paint anew the lines in sight whose indices are among `changed`."""
        top, width = self.scroll_offset.y, self.size.width
        in_sight = enumerate(self._indices[top : top + self.size.height])
        if lines := [Region(0, y, width, 1) for y, index in in_sight if index in changed]:
            self.refresh(*lines)

    def render_line(self, y: int) -> Strip:
        """Return a line in sight."""
        width = self.scrollable_content_region.width
        line = y + self.scroll_offset.y
        if line >= len(self._indices):
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style
        cursor = style("rows--marked")
        # Under a strong colour only the one that goes with it can be read.
        mark = Style(
            color=cursor.color if self.has_focus else None, bgcolor=cursor.bgcolor, bold=True
        )
        under = mark if line == self._cursor else Style()
        segments = [
            Segment(text, style(f"rows--{part}") + under)
            for text, part in self._draw(self._indices[line], width)
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style + under)

    def action_cursor_down(self) -> None:
        self._move(1)

    def action_cursor_up(self) -> None:
        self._move(-1)

    def action_page_down(self) -> None:
        self._move(max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        self._move(-max(self.size.height - 1, 1))

    def action_first(self) -> None:
        self._move(-len(self._indices))

    def action_last(self) -> None:
        self._move(len(self._indices))

    def on_click(self, event: events.Click) -> None:
        self._move(event.y + self.scroll_offset.y - self._cursor)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._indices))

    def _move(self, by: int) -> None:
        self._cursor = min(max(self._cursor + by, 0), max(len(self._indices) - 1, 0))
        self.scroll_to_region(Region(0, self._cursor, 1, 1), animate=False, force=True)
        self._tell()
        self.refresh()

    def _tell(self) -> None:
        if self.marked != self._told:
            self._told = self.marked
            self.post_message(self.Marked(self, self.marked))
