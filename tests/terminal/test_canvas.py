"""What is left out of a frame must not be missed: the terminal shows the same, cell for cell."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyte
import pytest
from rich.cells import cell_len

from core.settings import Settings
from tui.canvas import Canvas
from tui.notice import notice

WIDTH, HEIGHT = 30, 8
STYLES = [
    "",
    "1",
    "38;2;10;20;30",
    "38;2;9;9;9;48;2;1;2;3",
    "7;38;5;12",
    "4",
    "31;44",
    "1;92;48;5;7",
]
WORDS = ["loss", "   ", "⣿⡇ ⢸", "0.93", " a  b ", "★", "─┤"]
UNUSUAL = ["日本", "e\u0301"]
Seen = object


def frames(seed: int, count: int = 60) -> Iterator[str]:
    """Yield frames as Textual makes them: pieces of lines, each with its style, then the cursor."""
    chance = random.Random(seed)
    for _ in range(count):
        pieces = []
        for _ in range(chance.randrange(1, 9)):
            line, column = chance.randrange(HEIGHT) + 1, chance.randrange(8) + 1
            # Where letters take two cells, lines are drawn whole, so that none is cut in two.
            words, column = (WORDS, column) if line < HEIGHT - 2 else (WORDS + UNUSUAL, 1)
            chosen = chance.choices(words, k=chance.randrange(1, 5))
            if column == 1:
                chosen.append(" " * (WIDTH - sum(map(cell_len, chosen))))
            pieces.append(f"\x1b[{line};{column}H")
            for word in chosen:
                style = chance.choice(STYLES)
                pieces.append(f"\x1b[{style}m{word}\x1b[0m" if style else word)
            pieces.append(chance.choice(["", "\n"]) if line < HEIGHT else "")
        yield "".join(pieces) + "\x1b[3;4H"


class Shown:
    """A terminal, as a list of cells."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.Stream(self.screen)

    def cells(self) -> list[Seen]:
        """Return every cell as a person sees it: a blank has no ink."""
        lines = (self.screen.buffer[y] for y in range(HEIGHT))
        found: list[Seen] = [self._seen(line[x]) for line in lines for x in range(WIDTH)]
        return [*found, self.screen.cursor.x, self.screen.cursor.y]

    def _seen(self, cell: pyte.screens.Char) -> Seen:
        blank = cell.data == " " and not cell.reverse and not cell.underscore
        return tuple(cell) if not blank else (" ", cell.bg)


@pytest.mark.parametrize("seed", range(10))
def test_the_terminal_shows_the_same(seed: int) -> None:
    canvas, whole, lean = Canvas(), Shown(), Shown()
    for frame in frames(seed):
        whole.stream.feed(frame.replace("\n", "\r\n"))
        lean.stream.feed(canvas.draw(frame).replace("\n", "\r\n"))
        assert lean.cells() == whole.cells()


def test_what_stands_already_is_not_sent_again() -> None:
    canvas = Canvas()
    frame = "\x1b[1;1H\x1b[31mloss\x1b[0m\n\x1b[2;1H\x1b[1;32m 0.93 \x1b[0m\x1b[1;1H"
    assert "loss" in canvas.draw(frame)
    assert canvas.draw(frame) == ""
    assert canvas.draw(frame.replace("0.93", "0.94")) == "\x1b[2;5H\x1b[1;32m4\x1b[1;1H\x1b[0m"
    canvas.forget()
    assert "loss" in canvas.draw(frame)


@pytest.mark.parametrize(
    "clears", ["\x1b[2J", "\x1b[?1049h", "text from nowhere", "\x1b[1;1H\x1b[K"]
)
def test_after_what_it_cannot_follow_everything_is_sent(clears: str) -> None:
    canvas = Canvas()
    frame = "\x1b[1;1Hloss\x1b[2;1H"
    canvas.draw(frame)
    assert canvas.draw(clears) == clears
    assert "loss" in canvas.draw(frame)


@pytest.mark.parametrize(
    "order", ["\x1b[?2026h", "\x1b[?25l", "\x1b[>1u", "\x07", "\x1b]52;c;eA==\x07"]
)
def test_orders_that_draw_nothing_pass_and_change_nothing(order: str) -> None:
    canvas = Canvas()
    frame = "\x1b[1;1Hloss\x1b[2;1H"
    canvas.draw(frame)
    assert canvas.draw(order) == order
    assert canvas.draw(frame) == ""


def test_a_letter_of_two_cells_takes_its_neighbour_along() -> None:
    canvas, shown = Canvas(), Shown()
    for text in ("ab日cd", "abx cd", "a日 cd"):
        shown.stream.feed(canvas.draw(f"\x1b[1;1H{text}\x1b[1;1H"))
        assert shown.screen.display[0].rstrip() == text


@pytest.mark.parametrize("sign", ["❤️", "🇩🇪", "👍🏽", "日\u0301"])
def test_signs_as_long_as_they_are_wide_stay_in_one_piece(sign: str) -> None:
    """Each was taken for two letters of one cell, and half of it sent when the other half stood there."""
    canvas = Canvas()
    canvas.draw(f"\x1b[1;1Ha{sign}b\x1b[1;1H")
    assert canvas.draw(f"\x1b[1;1Hc{sign}b\x1b[1;1H") == "c\x1b[1;1H"
    assert sign in canvas.draw("\x1b[1;1Hc日b\x1b[1;1H") + canvas.draw(
        f"\x1b[1;1Hc{sign}b\x1b[1;1H"
    )


def test_where_a_terminal_draws_a_sign_narrower_the_rest_stays_in_place() -> None:
    canvas, shown = Canvas(), Shown()
    for text in ("abcdef", "a❤️def"):
        shown.stream.feed(canvas.draw(f"\x1b[1;1H{text}\x1b[1;1H"))
    assert shown.screen.display[0].replace("\ufe0f", "").rstrip() == "a❤ def"


def test_the_ink_of_a_reversed_blank_is_its_colour() -> None:
    canvas, shown = Canvas(), Shown()
    shown.stream.feed(canvas.draw("\x1b[1;1H\x1b[7;31mx\x1b[0m\x1b[7;32m \x1b[0m"))
    assert [shown.screen.buffer[0][x].fg for x in (0, 1)] == ["red", "green"]


def test_a_frame_for_the_size_before_leaves_nothing_taken_for_granted() -> None:
    canvas = Canvas()
    frame = "\x1b[2;1Hloss\x1b[0m\x1b[2;1H"
    assert "loss" in canvas.draw(frame, (10, 2))
    canvas.draw("\x1b[3;1Hlands on the line above\x1b[1;1H", (10, 2))
    assert "loss" in canvas.draw(frame, (10, 2))
    assert "loss" not in canvas.draw(frame, (10, 2))
    assert "loss" in canvas.draw(frame, (12, 2))


def test_a_notice_passes_whatever_it_is_wrapped_in() -> None:
    canvas = Canvas()
    frame = "\x1b[1;1Hloss\x1b[2;1H"
    canvas.draw(frame)
    for environment in ({}, {"TMUX": "x"}, {"STY": "x"}):
        said = notice("over", Settings(notice="both"), environment)
        assert said.count("over") == 2
        assert canvas.draw(said) == said
    assert canvas.draw(frame) == ""
