"""What the terminal shows, kept here too, so that only cells that change go over the line.

Textual sends whole lines of a widget, each piece of text between all of its style and a reset. Over a
slow line that is a film of what stands there anyway: a chart that grows by a column is nine tenths old.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

# Style, move of the cursor, text, any other thing; what moves nothing and draws nothing may pass.
_TOKEN = re.compile(r"\x1b\[([\d;]*)m|\x1b\[(\d+);(\d+)H|([^\x00-\x1f\x7f-\x9f]+)|(\n)")
_PASSES = re.compile(
    r"\x1b\[\?(?!1049|1047|47)\d+(?:[hl]|\$p)|\x1b\[[<>=][\d;]*[a-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x07"
)
_EXTENDED = {"5": 3, "2": 5}
# Underlined, blinking, reversed, struck out: what also shows where there is no letter.
_SEEN_ON_BLANKS = frozenset({"4", "5", "6", "7", "9", "21", "51", "52", "53"})
_RESET = "\x1b[0m"


class Look(NamedTuple):
    """Colours as the terminal is told them, empty for its own, and attributes."""

    ink: str = ""
    ground: str = ""
    attributes: frozenset[str] = frozenset()


PLAIN = Look()
Cell = tuple[str, Look]


class Canvas:
    """Turns what Textual would send into what has to be sent; used by one thread at a time."""

    def __init__(self) -> None:
        # By line, then by column; what is not there is not known.
        self._rows: dict[int, dict[int, Cell]] = {}
        self._cursor: tuple[int, int] | None = None

    def forget(self) -> None:
        """Take nothing for granted any more: the terminal has been resized, cleared, or left."""
        self._rows.clear()
        self._cursor = None

    def draw(self, frame: str) -> str:
        """Return the shortest text after which the terminal shows what it would after `frame`.

        What cannot be followed is returned as it is, and all that was known is forgotten.
        """
        if _PASSES.fullmatch(frame):
            return frame
        pen = _Pen(self._cursor)
        look, place, end = PLAIN, None, 0
        for token in _TOKEN.finditer(frame):
            if token.start() != end:
                break
            end = token.end()
            style, line, column, text, _ = token.groups()
            if style is not None:
                look = _styled(look, style)
            elif line is not None:
                place = (int(line), int(column))
            elif text is None:
                place = None
            elif place is None:
                break
            else:
                place = self._write(pen, place, text, look)
        else:
            if end == len(frame) and look == PLAIN:
                said = pen.rest(place)
                self._cursor = pen.cursor
                return said
        self.forget()
        return frame

    def _write(self, pen: _Pen, place: tuple[int, int], text: str, look: Look) -> tuple[int, int]:
        """Draw the cells of `text` that differ; return the place behind it."""
        line, column = place
        row = self._rows.setdefault(line, {})
        width = cell_len(text)
        if width != len(text):
            # Letters of two cells, or of none: sent whole; half of one may be left at either end.
            pen.write(line, column, text, look, width)
            for x in range(column - 1, column + width + 1):
                row.pop(x, None)
            return line, column + width
        blank = (" ", _on_blanks(look))
        for x, letter in enumerate(text, column):
            cell = blank if letter == " " else (letter, look)
            if row.get(x) != cell:
                row[x] = cell
                pen.write(line, x, letter, cell[1])
        return line, column + width


class _Pen:
    """Collects text for the terminal, with no more moves and styles than needed."""

    def __init__(self, cursor: tuple[int, int] | None) -> None:
        self.cursor = cursor
        self._said: list[str] = []
        self._look = PLAIN

    def write(self, line: int, column: int, text: str, look: Look, width: int = 1) -> None:
        self._move(line, column)
        if look is not self._look and not (text == " " and _same_blank(look, self._look)):
            self._said.append(_change(self._look, look))
            self._look = look
        self._said.append(text)
        # Not known behind a letter of unusual width: terminals do not agree on them.
        self.cursor = (line, column + width) if width == len(text) else None

    def rest(self, place: tuple[int, int] | None) -> str:
        """Return all that was collected, with the cursor at `place` and no style in the end."""
        if place is not None:
            self._move(*place)
        if self._look != PLAIN:
            self._said.append(_RESET)
        return "".join(self._said)

    def _move(self, line: int, column: int) -> None:
        if self.cursor == (line, column):
            return
        if self.cursor is not None and self.cursor[0] == line and self.cursor[1] < column:
            steps = column - self.cursor[1]
            self._said.append(f"\x1b[{steps}C" if steps > 1 else "\x1b[C")
        else:
            self._said.append(f"\x1b[{line};{column}H")
        self.cursor = (line, column)


@lru_cache(4096)
def _styled(look: Look, order: str) -> Look:
    """Return the look that a terminal has after the parameters `order` of an SGR sequence."""
    ink, ground, attributes = look.ink, look.ground, look.attributes
    for part in _parts(order):
        code = int(part.split(";")[0] or 0)
        if code == 0:
            ink, ground, attributes = PLAIN
        elif code == 39:
            ink = ""
        elif code == 49:
            ground = ""
        elif code == 38 or 30 <= code <= 37 or 90 <= code <= 97:
            ink = part
        elif code == 48 or 40 <= code <= 47 or 100 <= code <= 107:
            ground = part
        else:
            attributes = attributes | {part}
    return Look(ink, ground, attributes)


def _parts(order: str) -> Iterator[str]:
    """Yield the orders in one sequence; that for an extended colour takes several numbers."""
    numbers = order.split(";")
    while numbers:
        extended = numbers[0] in ("38", "48") and len(numbers) > 1
        length = _EXTENDED.get(numbers[1], 1) if extended else 1
        yield ";".join(numbers[:length])
        numbers = numbers[length:]


@lru_cache(4096)
def _change(before: Look, after: Look) -> str:
    """Return the shortest order that turns one look into another."""
    if before == after:
        return ""
    if after == PLAIN:
        return _RESET
    ink_lost = before.ink and not after.ink
    ground_lost = before.ground and not after.ground
    anew = ink_lost or ground_lost or before.attributes - after.attributes
    stands = PLAIN if anew else before
    parts = ["0"] if anew else []
    parts += sorted(after.attributes - stands.attributes)
    parts += [after.ink] if after.ink != stands.ink else []
    parts += [after.ground] if after.ground != stands.ground else []
    return f"\x1b[{';'.join(parts)}m"


@lru_cache(4096)
def _on_blanks(look: Look) -> Look:
    """Return what of `look` shows where there is no letter."""
    return look if look.attributes & _SEEN_ON_BLANKS else Look(ground=look.ground)


@lru_cache(4096)
def _same_blank(a: Look, b: Look) -> bool:
    """Tell whether a blank looks the same in both."""
    return _on_blanks(a).attributes == _on_blanks(b).attributes and a.ground == b.ground
