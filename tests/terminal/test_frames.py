"""Thousands of frames of a real Textual app, in random order: the lean ones show what the whole ones do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pyte
import pytest
from rich.cells import split_graphemes
from textual._compositor import LayoutUpdate
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from tests.tui.conftest import until
from tui.canvas import Canvas

SIZES = ((40, 12), (57, 15), (33, 9))
CHANGES = 300
WORDS = (
    *("loss", "   ", "⣿⡇⢸", "0.93", " a  b ", "★", "─┤", "", "naïve"),
    *(
        "日本語",
        "한글 ",
        "e\u0301a\u0300",
        "❤️",
        "👍🏽",
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "日\u0301x",
        "⌚",
        "กำ",
    ),
)
STYLES = ("", "bold", "red on blue", "reverse", "underline", "$primary", "strike on #102030", "dim")


class Dialog(ModalScreen[None]):
    """Covers some of what is below, and wide letters at its edges by half."""

    DEFAULT_CSS = "Dialog { align: center middle; } Dialog > Static { width: 11; height: 5; border: round red; }"

    def compose(self) -> ComposeResult:
        yield Static("over 日本語 it", markup=False)


class Busy(App[None]):
    """Lines beside and over one another, a field with a cursor, a dialog."""

    CSS = """
    Screen { layers: base over; }
    #rows { width: 60%; } #rows > Static { height: 1; }
    #over { layer: over; offset: 7 3; width: 9; height: 4; border: solid green; }
    #right { dock: right; width: 38%; height: 100%; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="rows"):
            yield Input("日本語 typed")
            for _ in range(14):
                yield Static("", markup=False)
        yield Static("", id="right", markup=False)
        yield Static("", id="over", markup=False)


class Strict(pyte.Screen):
    """A terminal as wide as Rich thinks, which clears the other half of what is cut, as real ones do."""

    def draw(self, data: str) -> None:
        line = self.buffer[self.cursor.y]
        for start, end, width in split_graphemes(data)[0]:
            letter, x = data[start:end], min(self.cursor.x, self.columns - 1)
            if not width:
                continue
            for place, half in zip(range(x, x + width), (letter, "", ""), strict=False):
                self._cut(line, place)
                if place < self.columns:
                    line[place] = self.cursor.attrs._replace(data=half)
            self.cursor.x = min(x + width, self.columns)
        self.dirty.add(self.cursor.y)

    def _cut(self, line: Any, x: int) -> None:
        if x and line[x].data == "":
            line[x - 1] = line[x - 1]._replace(data=" ")
        if line[x + 1].data == "":
            line[x + 1] = line[x + 1]._replace(data=" ")


class Shown:
    """A terminal and what a person sees on it."""

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = Strict(columns, lines)
        self.stream = pyte.Stream(self.screen)
        # As the driver has it: nothing is wrapped.
        self.stream.feed("\x1b[?7l")

    def take(self, text: str) -> None:
        self.stream.feed(text.replace("\n", "\r\n"))

    def cells(self) -> list[object]:
        """Return every cell; a blank has no ink."""
        found: list[object] = [self.screen.cursor.x, self.screen.cursor.y]
        for y in range(self.screen.lines):
            for x in range(self.screen.columns):
                cell = self.screen.buffer[y][x]
                seen = cell.reverse or cell.underscore or cell.strikethrough
                found.append((" ", cell.bg) if cell.data == " " and not seen else tuple(cell))
        return found


class Tap:
    """Takes the frames that the app would send to its terminal, and shows them twice."""

    def __init__(self, app: App[None], monkeypatch: pytest.MonkeyPatch) -> None:
        self.canvas, self.frames, self.sent, self.whole_sent = Canvas(), 0, 0, 0
        self.size, self.settled, self.compared = (0, 0), False, 0
        self.whole = self.lean = Shown(1, 1)
        self._app = app
        monkeypatch.setattr(app, "_display", self._display)

    def _display(self, screen: Screen[Any], update: Any) -> None:
        if update is None or self._app._batch_count:
            return
        size = (self._app.size.width, self._app.size.height)
        if size != self.size:
            # A terminal that changes its size keeps what it likes of it.
            self.size, self.whole, self.lean = size, Shown(*size), Shown(*size)
            self.settled = False
        x, y = self._app.cursor_position
        frame = update.render_segments(self._app.console)
        frame += f"\x1b[{min(y, size[1] - 1) + 1};{min(x, size[0] - 1) + 1}H"
        lean = self.canvas.draw(frame, size)
        self.frames += 1
        self.sent += len(lean)
        self.whole_sent += len(frame)
        self.whole.take(frame)
        self.lean.take(lean)
        # Frames for the size before still come: what lands on the edges stays there till all is new.
        self.settled |= isinstance(update, LayoutUpdate) and update.region.size == size
        if self.settled:
            self.compared += 1
            assert self.lean.cells() == self.whole.cells(), (frame, lean)


def words(chance: random.Random) -> Content:
    return Content.assemble(
        *((chance.choice(WORDS), chance.choice(STYLES)) for _ in range(chance.randrange(12)))
    )


def change(app: App[None], chance: random.Random) -> Iterator[str]:
    """Change something on the screen; yield a key where that is what changes it."""
    kind = chance.randrange(12)
    widgets = [*app.screen_stack[0].query(Static)]
    if kind < 6:
        chance.choice(widgets).update(words(chance))
    elif kind == 6:
        widget = chance.choice(widgets)
        width, height = widget.size
        x, y = chance.randrange(max(width, 1)), chance.randrange(max(height, 1))
        widget.refresh(Region(x, y, chance.randrange(1, 9), 1))
    elif kind == 7:
        chance.choice(widgets).display ^= True
    elif kind == 8:
        app.screen_stack[0].query_one("#over").offset = (chance.randrange(20), chance.randrange(8))
    elif kind == 9 and len(app.screen_stack) == 1:
        app.push_screen(Dialog())
    elif kind == 9:
        app.pop_screen()
    elif kind == 10:
        app.screen_stack[0].query_one("#rows").scroll_to(y=chance.randrange(5), animate=False)
    else:
        yield chance.choice(("left", "right", "home", "end", "x", "backspace", "日"))


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_left_out_of_a_frame_is_not_missed(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, app = random.Random(seed), Busy()
    app.animation_level = "none"
    async with app.run_test(size=SIZES[0]) as pilot:
        tap = Tap(app, monkeypatch)
        app.refresh(layout=True)
        await until(pilot, lambda: tap.frames > 0)
        for number in range(CHANGES):
            for key in change(app, chance):
                await pilot.press(key)
            if number % 100 == 99:
                await pilot.resize_terminal(*chance.choice(SIZES))
            await pilot.pause()
        assert tap.compared > CHANGES // 3
        assert tap.sent < tap.whole_sent
