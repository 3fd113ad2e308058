"""What rows of a chart are made of: characters and roles."""

from __future__ import annotations

from typing import Literal, NamedTuple

LINE_COLOURS = 5
Role = Literal[
    "title", "label", "frame", "faint", "mark", "cursor",
    "line-0", "line-1", "line-2", "line-3", "line-4",
]  # fmt: skip
# plotext carries a colour number a cell; here the number is a place in this list.
ROLES: tuple[Role, ...] = (
    *("title", "label", "frame", "faint", "mark", "cursor"),
    *("line-0", "line-1", "line-2", "line-3", "line-4"),
)
# A line of a chart: pieces of text, each with its role.
Row = tuple[tuple[str, Role], ...]


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
    cursor: str
    to: str
    none: str


FINE = Glyphs("braille", ("━", *"●▲■◆○△□◇▼"), "⠒", "★", "└", "─", "│", "┬", "┤", "…", "┊", "–", "–")
ASCII = Glyphs("", tuple(".ox+#@%&$="), ":", "*", "+", "-", "|", "+", "+", "~", "|", "-", "-")


def line_role(place: int) -> Role:
    """Return the colour of the line at `place`; with its glyph it is told from fifty others."""
    return ROLES[ROLES.index("line-0") + (place + place // len(FINE.lines)) % LINE_COLOURS]


def line_glyph(place: int, glyphs: Glyphs) -> str:
    """Return the glyph that stands on the line at `place`; ten lines differ by it alone."""
    return glyphs.lines[place % len(glyphs.lines)]


def with_cursor(row: Row, column: int, glyph: str) -> Row:
    """Return `row` with the crosshair in `column`, unless a line or a mark is there."""
    crossed: list[tuple[str, Role]] = []
    start = 0
    for text, role in row:
        at = column - start
        start += len(text)
        if 0 <= at < len(text) and (role == "faint" or text[at] in " \u2800"):
            crossed += [(text[:at], role), (glyph, "cursor"), (text[at + 1 :], role)]
        else:
            crossed.append((text, role))
    return tuple(part for part in crossed if part[0])
