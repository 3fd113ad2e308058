"""What the terminal shows, kept here too, so that only cells that change go over the line.

Textual sends whole lines of a widget, each piece of text between all of its style and a reset. Over a
slow line that is a film of what stands there anyway: a chart that grows by a column is nine tenths old.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

# Text between its style and a reset, as most of it comes, and alone; move of the cursor, style, end of a line.
_TOKEN = re.compile(
    r"\x1b\[([\d;]+)m([^\x00-\x1f\x7f-\x9f]+)\x1b\[0m|\x1b\[(\d+);(\d+)H"
    r"|([^\x00-\x1f\x7f-\x9f]+)|\x1b\[([\d;]*)m|(\n)"
)
# What moves nothing and draws nothing.
_PASSES = re.compile(
    r"(?:\x1b\[\?(?!1049|1047|47)\d+(?:[hl]|\$p)|\x1b\[[<>=][\d;]*[a-z]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP(?:[^\x1b]|\x1b[^\\])*\x1b\\|\x07)+"
)
# Letters that every terminal draws in one cell, or, some of those from U+2300 on, in two; what follows
# may make another letter of them (U+FE0F an emoji), so that it has to be looked at, too.
_USUAL = re.compile(
    "[ -~\xa1-\xac\xae-\u0236\u0391-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u2190-\u27bf\u2800-\u28ff]*"
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
# A letter and its look; of letters that are drawn together also how far into them the cell is.
Cell = tuple[str, Look] | tuple[str, Look, int]
# From column 1 on; what is None is not known.
Row = list[Cell | None]


def passes(text: str) -> bool:
    """Tell whether `text` neither draws nor moves anything: modes, questions, notices, a bell."""
    return _PASSES.fullmatch(text) is not None


class Canvas:
    """Turns what Textual would send into what has to be sent; used by one thread at a time."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        # The lines that have letters which are drawn together.
        self._mixed: set[int] = set()
        self._cursor: tuple[int, int] | None = None
        self._size: tuple[int, int] | None = None
        self._outside = False

    def forget(self) -> None:
        """Take nothing for granted any more: the terminal has been resized, cleared, or left."""
        self._rows.clear()
        self._mixed.clear()
        self._cursor = None

    def draw(self, frame: str, size: tuple[int, int] | None = None) -> str:
        """Return the shortest text after which the terminal shows what it would after `frame`.

        What cannot be followed is returned as it is, and all that was known is forgotten. So it is
        when the terminal has got another `size` (columns, lines), or when a frame made for the one
        before is larger: what is drawn beyond an edge lands on it.
        """
        if passes(frame):
            return frame
        if size != self._size:
            self._size = size
            self.forget()
        pen = _Pen(self._cursor)
        look, place, end = PLAIN, None, 0
        for token in _TOKEN.finditer(frame):
            if token.start() != end:
                break
            end = token.end()
            piece_style, piece, line, column, text, style, _ = token.groups()
            if line is not None:
                place = (int(line), int(column))
            elif style is not None:
                look = _styled(look, style)
            elif piece is None and text is None:
                place = None
            elif place is None:
                break
            elif piece is None:
                place = self._write(pen, place, text, look)
            else:
                place = self._write(pen, place, piece, _styled(look, piece_style))
                look = PLAIN
        else:
            if end == len(frame) and look == PLAIN:
                said = pen.rest(place)
                self._cursor = pen.cursor
                if self._outside:
                    self._outside = False
                    self.forget()
                return said
        self.forget()
        return frame

    def _write(self, pen: _Pen, place: tuple[int, int], text: str, look: Look) -> tuple[int, int]:
        """Draw the cells of `text` that differ; return the place behind it."""
        line, column = place
        row = self._rows.setdefault(line, [])
        if (lacking := column + _most_cells(text) - len(row)) > 0:
            row += [None] * lacking
        if (cells := _cells(text, look)) is not None:
            column = self._letters(pen, line, column, text, look, cells)
        else:
            for piece, width in _pieces(text):
                if (cells := _cells(piece, look)) is not None:
                    self._letters(pen, line, column, piece, look, cells)
                elif row[column : column + width] != [(piece, look, i) for i in range(width)]:
                    self._unusual(pen, line, column, (piece, width), look)
                column += width
        if self._size is not None and (column - 1 > self._size[0] or line > self._size[1]):
            self._outside = True
        return line, column

    def _letters(self, pen: _Pen, line: int, column: int, text: str, look: Look, cells: Row) -> int:
        """Draw letters of one cell each; return the column behind them."""
        row, end = self._rows[line], column + len(text)
        before = row[column:end]
        if before == cells:
            return end
        for first, last in _runs(before, cells):
            if line in self._mixed:
                for x in range(column + first, column + last):
                    _break(row, x)
            said = text[first:last]
            blanks = len(said) - len(said.lstrip(" "))
            if blanks:
                blank = _on_blanks(look)
                pen.write(line, column + first, said[:blanks], blank, blanks)
            if blanks < len(said):
                # Blanks among letters look as those do: they have what shows of the ground.
                pen.write(line, column + first + blanks, said[blanks:], look, last - first - blanks)
        row[column:end] = cells
        return end

    def _unusual(
        self, pen: _Pen, line: int, column: int, piece: tuple[str, int], look: Look
    ) -> None:
        """Draw letters on whose width terminals do not agree, on blanks, and keep them together."""
        text, width = piece
        row = self._rows[line]
        self._mixed.add(line)
        # What stands behind may be drawn over, too.
        for x in range(column, column + width + 1):
            _break(row, x)
        pen.write(line, column, " " * width, look, width)
        pen.write(line, column, text, look, None)
        for i in range(width):
            row[column + i] = (text, look, i)


def _break(row: Row, x: int) -> None:
    """Forget the cell, and those that are drawn together with it: a terminal clears what is cut."""
    before, row[x] = row[x], None
    if before is not None and len(before) == 3:
        first = x - before[2]
        for other in range(first, min(first + cell_len(before[0]), len(row))):
            row[other] = None


def _runs(before: Row, after: Row) -> Iterator[tuple[int, int]]:
    """Yield from where to where cells differ."""
    first = -1
    for x, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            if first >= 0:
                yield first, x
                first = -1
        elif first < 0:
            first = x
    if first >= 0:
        yield first, len(after)


@lru_cache(4096)
def _cells(text: str, look: Look) -> Row | None:
    """Return the cells of usual letters, one each, in a list that nobody changes; None for other letters."""
    if cell_len(text) != len(text) or not _USUAL.fullmatch(text):
        return None
    blank = (" ", _on_blanks(look))
    return [blank if letter == " " else (letter, look) for letter in text]


def _most_cells(text: str) -> int:
    """Return the cells that `text` takes at most, and one that may be cut behind it."""
    return 2 * len(text) + 2


@lru_cache(256)
def _pieces(text: str) -> list[tuple[str, int]]:
    """Cut `text` into usual letters and what is drawn together, each with its width in cells.

    Where Textual has cut a letter in two, a rest without a width is left, which is dropped.
    """
    pieces: list[tuple[str, int]] = []
    for start, end, width in split_graphemes(text)[0]:
        piece = text[start:end]
        if not width:
            continue
        usual = width == 1 == len(piece) and _USUAL.fullmatch(piece)
        if pieces and not usual and not _USUAL.fullmatch(pieces[-1][0]):
            # Two letters may be one sign, a flag, in one terminal and not in another.
            piece, width = pieces[-1][0] + piece, pieces.pop()[1] + width
        pieces.append((piece, width))
    return pieces


class _Pen:
    """Collects text for the terminal, with no more moves and styles than needed."""

    def __init__(self, cursor: tuple[int, int] | None) -> None:
        self.cursor = cursor
        self._said: list[str] = []
        self._look = PLAIN

    def write(self, line: int, column: int, text: str, look: Look, width: int | None = 1) -> None:
        """Write `text` of one look; without a `width` nobody knows where the cursor is after it."""
        self._move(line, column)
        blank = text[0] == " " and not text.strip(" ")
        if look is not self._look and not (blank and _same_blank(look, self._look)):
            self._said.append(_change(self._look, look))
            self._look = look
        self._said.append(text)
        self.cursor = None if width is None else (line, column + width)

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
    return _on_blanks(a) == _on_blanks(b)
