"""The confusion matrix: what each class was taken for, with a cursor, for any number of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import RenderResult
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from core.text import percent
from tui.command import bindings
from tui.commands import GRID
from tui.words import column, tail

LEAST_NAME, MOST_NAME = 8, 24
# The least holds `100 %` and a blank.
LEAST_CELL, MOST_CELL = 6, 14
# From this share of a class on, a mistake is no accident.
MUCH = 0.1
_PARTS = ("head", "here", "right", "none", "some", "much", "marked")
CORNER = "is ↓  said →"


class ConfusionMatrix(Widget, can_focus=True):
    """A row per true class, a column per answer; each cell has its pictures, and their share of the row.

    Where there is room for one line a class only, a key changes between the two.
    """

    about = (
        "Each row is a class, each column what its pictures were taken for: all that is off the"
        " diagonal is wrong. Shares are of the row. Arrows move, enter shows the pictures of a cell."
    )
    BINDINGS = bindings(*GRID)
    DEFAULT_CSS = """
    ConfusionMatrix {
        width: 1fr; height: 1fr; background: $background;
        & > .matrix--head { color: $foreground 60%; }
        & > .matrix--here { color: $text-accent; text-style: bold; }
        & > .matrix--right { color: $text-success; text-style: bold; }
        & > .matrix--none { color: $foreground 40%; }
        & > .matrix--some { color: $foreground; }
        & > .matrix--much { color: $text-error; text-style: bold; }
        & > .matrix--marked { background: $boost; text-style: bold; }
        &:focus > .matrix--marked { background: $primary 40%; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"matrix--{part}" for part in _PARTS}
    ALLOW_SELECT = False

    @dataclass
    class Marked(Message):
        """The cursor is on the cell of pictures of class `truth` that were taken for `answer`."""

        truth: int
        answer: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names: Sequence[str] = ()
        self._counts: Sequence[Sequence[int]] = ()
        self._totals: list[int] = []
        self._row = self._column = 0
        self._top = self._left = 0
        self._longest = LEAST_NAME
        self._widest = LEAST_CELL
        self.shares = False

    @property
    def marked(self) -> tuple[int, int]:
        """The class and the answer of the cell under the cursor, by index."""
        return self._row, self._column

    def show(self, names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        """Show `counts[truth][answer]` of the classes `names`."""
        self._names, self._counts = names, counts
        self._totals = [sum(row) for row in counts]
        self._longest = max((len(name) for name in names), default=0)
        most = max((max(row) for row in counts), default=0)
        self._widest = max(LEAST_CELL, len(f"{most:,}") + 1)
        self.move_to(0, 0)

    def move_to(self, truth: int, answer: int) -> None:
        """Put the cursor on a cell, which is brought into sight."""
        last = max(len(self._names) - 1, 0)
        self._row, self._column = min(max(truth, 0), last), min(max(answer, 0), last)
        self.post_message(self.Marked(self._row, self._column))
        self.refresh()

    def show_shares(self, shares: bool) -> None:
        """Show shares where there is room for one number only, or counts again."""
        self.shares = shares
        self.refresh()

    @property
    def lines_per_row(self) -> int:
        """Two where counts and shares both fit, three with a gap between the rows, else one."""
        count, room = max(len(self._names), 1), self.size.height - 1
        return 3 if 3 * count <= room else 2 if 2 * count <= room else 1

    @property
    def in_sight(self) -> tuple[range, range]:
        """The rows and the columns that are shown."""
        rows, columns = self._room
        count = len(self._names)
        return (
            range(self._top, min(self._top + rows, count)),
            range(self._left, min(self._left + columns, count)),
        )

    @property
    def _room(self) -> tuple[int, int]:
        """How many rows and columns fit."""
        rows = (self.size.height - 1) // self.lines_per_row
        columns = (self.size.width - self._name_width) // self._cell_width
        return max(rows, 1), max(columns, 1)

    @property
    def _name_width(self) -> int:
        longest = min(max(self._longest, len(CORNER)), MOST_NAME)
        return min(longest + 2, max(self.size.width // 3, LEAST_NAME))

    @property
    def _cell_width(self) -> int:
        room = (self.size.width - self._name_width) // max(len(self._names), 1)
        return max(self._widest, min(room, MOST_CELL))

    def _bring_into_sight(self) -> None:
        rows, columns = self._room
        self._top = _moved(self._top, rows, self._row, len(self._names))
        self._left = _moved(self._left, columns, self._column, len(self._names))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines; where the cursor is may be known before there is room to show it."""
        self._bring_into_sight()
        return super().render_lines(crop)

    def render(self) -> RenderResult:
        """Return nothing: the lines come from `render_line`."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Return the line of answers, or a line of the row at `y`."""
        style = {part: self.get_component_rich_style(f"matrix--{part}") for part in _PARTS}
        rows, columns = self.in_sight
        per_row = self.lines_per_row
        at = (y - 1) // per_row
        if not self._names or (y and at >= len(rows)):
            return Strip.blank(self.size.width, self.rich_style)
        if y == 0:
            segments = list(self._head(columns, style))
        elif (line := (y - 1) % per_row) < 2:
            segments = list(self._cells(rows[at], columns, line, style))
        else:
            segments = []
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def _head(self, columns: range, style: dict[str, Style]) -> Iterator[Segment]:
        width = self._cell_width
        yield Segment(column(f" {CORNER}", self._name_width), style["head"])
        for k, name in zip(columns, self._heads(columns, width - 1), strict=True):
            part = "here" if k == self._column else "head"
            yield Segment(" " * (width - cell_len(name)) + name, style[part])

    def _heads(self, columns: range, width: int) -> list[str]:
        """Return the names of the columns, cut where they differ: at the end, or if need be at the start."""
        names = [self._names[k] for k in columns]
        starts = [column(name, width).rstrip() for name in names]
        ends = [column(tail(name, width), width).rstrip() for name in names]
        return ends if len(set(ends)) > len(set(starts)) else starts

    def _cells(
        self, row: int, columns: range, line: int, style: dict[str, Style]
    ) -> Iterator[Segment]:
        """Yield a line of a row: its name and the counts, or below them the shares."""
        name = f" {self._names[row]}" if line == 0 else ""
        yield Segment(column(name, self._name_width), style["here" if row == self._row else "head"])
        total = self._totals[row]
        mark = Style(bgcolor=style["marked"].bgcolor, bold=True, underline=True)
        shares = line == 1 or (self.shares and self.lines_per_row == 1)
        for k in columns:
            pictures = self._counts[row][k]
            share = pictures / total if total else 0.0
            text = _number(pictures, share, self._cell_width - 1, shares)
            under = mark if (row, k) == self.marked else Style()
            yield Segment(" ", self.rich_style)
            right = f"{text:>{self._cell_width - 1}}"
            yield Segment(right, style[_part(row == k, pictures, share)] + under)

    def on_click(self, event: events.Click) -> None:
        rows, columns = self.in_sight
        row, k = (event.y - 1) // self.lines_per_row, (event.x - self._name_width)
        if event.y and row < len(rows) and 0 <= k // self._cell_width < len(columns):
            self.move_to(rows[row], columns[k // self._cell_width])

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by so many cells."""
        self.move_to(self._row + rows, self._column + columns)

    def action_page(self, pages: int) -> None:
        """Move the cursor by as many rows as are in sight."""
        self.move_to(self._row + pages * max(len(self.in_sight[0]) - 1, 1), self._column)

    def action_first(self) -> None:
        """Move the cursor to the first class and the first answer."""
        self.move_to(0, 0)

    def action_last(self) -> None:
        """Move the cursor to the last class and the last answer."""
        self.move_to(len(self._names), len(self._names))


def _moved(start: int, room: int, place: int, count: int) -> int:
    """Return the first of `room` places in sight, such that `place` is among them."""
    start = min(max(start, place - room + 1), place)
    return max(min(start, count - room), 0)


def _part(right: bool, pictures: int, share: float) -> str:
    if right:
        return "right" if pictures else "much"
    return "none" if not pictures else "much" if share >= MUCH else "some"


def _number(pictures: int, share: float, width: int, as_share: bool) -> str:
    """Return what stands in a cell; that none was wrong is no number, so that the others stand out."""
    if not pictures:
        return "" if as_share else "·"
    if not as_share:
        return f"{pictures:,}"
    if len(percent(1.0)) <= width:
        return percent(share)
    return "<1 %" if share < 0.005 else f"{share:.0%}".replace("%", " %")
