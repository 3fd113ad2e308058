"""For terminals and fonts that know ASCII alone: every sign on the screen as the nearest plain one."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("·•∙", "."),
        **dict.fromkeys("●★◆■✓", "*"),
        **dict.fromkeys("✗×", "x"),
        **dict.fromkeys("…", "~"),
        **dict.fromkeys("─━═╌┄▔▁", "-"),
        **dict.fromkeys("│┃║▏▎▍▌▐▕", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╸╺", "+"),
        **dict.fromkeys("█▇▆▅▄▃▂▀", "#"),
        **dict.fromkeys("▸▶›", ">"),
        **dict.fromkeys("▾▼", "v"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("–—−", "-"),
        "±": "+",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "\u00a0": " ",
    }
)


class AsciiLineFilter(LineFilter):
    """Lets nothing but ASCII through, a cell for a cell, so that columns stay where they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` in ASCII; those for the terminal itself stay as they are."""
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(in_ascii(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(2048)
def in_ascii(text: str) -> str:
    """Return `text` in ASCII, as many cells wide: `café` as `cafe`, what has no likeness as `?`."""
    return "".join(_plain(character) for character in text.translate(_SIGNS))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    likeness = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return likeness[:1] if likeness and cell_len(character) == 1 else "?" * cell_len(character)
