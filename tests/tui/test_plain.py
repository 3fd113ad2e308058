"""With `--ascii` only ASCII reaches the terminal, and no column moves."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.plain import AsciiLineFilter, in_ascii


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("café · naïve…", "cafe . naive~"),
        ("┌─┐│★ 48×48", "+-+|* 48x48"),
        ("日本", "????"),
        ("\u2840\u28ff", "??"),
    ],
)
def test_signs_become_their_nearest_plain_ones(text: str, plain: str) -> None:
    assert in_ascii(text) == plain
    assert cell_len(in_ascii(text)) == cell_len(text)


def test_styles_and_orders_to_the_terminal_stay() -> None:
    bold = Style(bold=True)
    order = Segment("\x1b[?25l", None, [(1,)])  # type: ignore[list-item]
    line = AsciiLineFilter().apply([Segment("é", bold), order], Color(0, 0, 0))
    assert line == [Segment("e", bold), order]
