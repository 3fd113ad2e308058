"""Lines that are painted past the compositor: what it would have shown, or not painted so at all."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from tests.terminal.test_frames import Dialog, Shown, Tap
from tests.tui.conftest import until
from tui.at_once import paint, paint_waiting
from tui.widgets.line import Line

SIZE = (40, 12)


class Rows(Widget):
    """Lines of text that change one by one."""

    DEFAULT_CSS = "Rows { height: 6; background: $surface; }"

    def __init__(self) -> None:
        super().__init__()
        self.rows = ["row"] * 6
        self.at_once = self.later = 0

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(self.rows[y].ljust(self.size.width), Style(bold=True))])

    def change(self, lines: list[int], text: str) -> None:
        for y in lines:
            self.rows[y] = text
        if paint(self, lines):
            self.at_once += 1
        else:
            self.later += 1
            self.refresh(*(Region(0, y, self.size.width, 1) for y in lines))


class Covered(App[None]):
    """Rows in a folder of others, which a box may lie over."""

    CSS = """
    Screen { layers: base over; }
    #all { height: 9; }
    #over { layer: over; offset: 30 0; width: 6; height: 2; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="all"):
            yield Static("above")
            yield Rows()
            for number in range(8):
                yield Static(f"below {number}")
        yield Static("beside", id="beside")
        yield Static("over", id="over")


def truth(app: App[Any]) -> list[object]:
    """Return what a person would see if all were painted anew."""
    whole = Shown(*SIZE)
    update = app.screen._compositor.render_update(full=True)
    assert update is not None
    whole.take(update.render_segments(app.console))  # type: ignore[union-attr]
    return whole.cells()[2:]


@pytest.mark.parametrize("seed", range(3))
async def test_the_terminal_shows_what_the_compositor_would(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, app = random.Random(seed), Covered()
    app.animation_level = "none"
    async with app.run_test(size=SIZE) as pilot:
        tap = Tap(app, monkeypatch)
        rows, over = app.query_one(Rows), app.query_one("#over")
        app.refresh(layout=True)
        await until(pilot, lambda: tap.settled)
        for _ in range(150):
            kind = chance.randrange(8)
            if kind == 0:
                over.offset = (chance.randrange(34), chance.randrange(10))
            elif kind == 1:
                app.query_one("#all").scroll_to(y=chance.randrange(4), animate=False)
            elif kind == 2:
                over.display = not over.display
            elif kind == 3 and len(app.screen_stack) == 1:
                app.push_screen(Dialog())
            elif kind == 3:
                app.pop_screen()
            elif kind == 4:
                app.theme = chance.choice(("textual-dark", "textual-light"))
            for turn in range(chance.randrange(3)):
                lines = sorted(chance.sample(range(6), chance.randrange(1, 4)))
                rows.change(lines, f"{kind} {turn} {chance.random():.6f}")
            await pilot.pause()
            await pilot.pause()
            assert tap.whole.cells()[2:] == truth(app)
        assert rows.at_once > 10 and rows.later > 10


class Lined(Screen[None]):
    """Lines that wait to be painted together, as those of a dashboard."""

    CSS = """
    Lined { layers: base over; }
    #all { height: 8; }
    .line { height: auto; max-height: 2; padding: 0 1; background: $surface; }
    #over { layer: over; offset: 30 0; width: 6; height: 2; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="all"):
            for number in range(5):
                yield Line(id=f"line-{number}", classes="line")
            yield Static("below\n" * 6)
        yield Line(id="last", classes="line")
        yield Static("over", id="over")

    def _on_timer_update(self) -> None:
        before = len(self._dirty_widgets)
        paint_waiting(self, Line)
        cast("Lines", self.app).painted += before > len(self._dirty_widgets)
        super()._on_timer_update()


class Lines(App[None]):
    painted = 0

    def on_mount(self) -> None:
        self.push_screen(Lined())


@pytest.mark.parametrize("seed", range(3))
async def test_lines_that_wait_show_what_the_compositor_would(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, app = random.Random(seed), Lines()
    app.animation_level = "none"
    async with app.run_test(size=SIZE) as pilot:
        tap = Tap(app, monkeypatch)
        page = app.screen
        over, rows = page.query_one("#over"), list(page.query(Line))
        over.display = False
        app.refresh(layout=True)
        await until(pilot, lambda: tap.settled)
        for _ in range(150):
            kind = chance.randrange(24)
            if app.screen is not page:
                app.pop_screen()
            elif kind == 0:
                over.offset = (chance.randrange(34), chance.randrange(10))
            elif kind == 1:
                page.query_one("#all").scroll_to(y=chance.randrange(4), animate=False)
            elif kind == 2:
                over.display = not over.display
            elif kind == 3:
                app.push_screen(Dialog())
            elif kind == 4:
                row = chance.choice(rows)
                row.display = not row.display
            for row in chance.sample(rows, chance.randrange(4)):
                words = Content.styled(f"{kind} {chance.random():.6f}", "bold")
                row.show(Content("\n").join([words] * chance.choice((1, 1, 1, 2, 3))))
            await pilot.pause()
            await pilot.pause()
            assert tap.whole.cells()[2:] == truth(app)
        assert app.painted > 10


async def test_it_is_left_to_the_compositor_where_not_all_is_seen() -> None:
    app = Covered()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        rows, over = app.query_one(Rows), app.query_one("#over")
        over.display = False
        await pilot.pause()
        assert paint(rows, [0])
        over.display = True
        over.offset = (30, 4)
        await pilot.pause()
        assert not paint(rows, [0])
        over.display = False
        app.notify("\n".join(["a note that lies over what is below"] * 6))
        await until(pilot, lambda: bool(app.screen.query("Toast")))
        await pilot.pause()
        assert not paint(rows, [0])
        app.clear_notifications()
        await until(pilot, lambda: not app.screen.query("Toast"))
        app.query_one("#all").scroll_to(y=3, animate=False)
        await pilot.pause()
        assert not paint(rows, [0])
        app.query_one("#all").scroll_to(y=0, animate=False)
        await pilot.pause()
        assert paint(rows, [0])
        await app.push_screen(Dialog())
        await pilot.pause()
        assert not paint(rows, [0])
        await app.pop_screen()
        await pilot.pause()
        assert paint(rows, [0])
