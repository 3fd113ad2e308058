"""A dialog lies over a screen that goes on: what is around it is what the screen shows."""

from __future__ import annotations

from typing import Any

from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Static

from tui.command import Section
from tui.screens.ask import Ask, Reply
from tui.screens.dialog import Dialog
from tui.screens.help import Help

REPLIES = (Reply("g", "go on", ""), Reply("n", "now", "now"))


class Below(App[None]):
    """Numbered lines from edge to edge."""

    CSS = "Dialog { align: center middle; } .dialog { width: 40; height: 9; } #help { height: 3; }"
    ascii_only = False

    def compose(self) -> ComposeResult:
        yield Static(numbered(40), id="lines", markup=False)


def numbered(count: int, mark: str = ".") -> str:
    return "\n".join(f"{y:02}{mark * 200}" for y in range(count))


def shown(screen: Screen[Any]) -> list[str]:
    return [strip.text for strip in screen._compositor.render_strips()]


def on_a_terminal(app: App[None]) -> str:
    """Return what the top screen sends when it is painted whole."""
    update = app.screen._compositor.render_update(full=True)
    assert isinstance(update, LayoutUpdate)
    return update.render_segments(app.console)


def around(lines: list[str], box: Region) -> list[str]:
    """Return the lines with what is in `box` blanked out."""
    blanked = []
    for y, line in enumerate(lines):
        if box.y <= y < box.bottom:
            line = line[: box.x] + " " * box.width + line[box.right :]
        blanked.append(line)
    return blanked


def box(dialog: Screen[Any]) -> Region:
    return dialog.query_one(".dialog").region


async def test_around_a_dialog_is_the_screen_below_as_it_is_now() -> None:
    app = Below()
    async with app.run_test(size=(90, 25)) as pilot:
        page = app.screen
        before = shown(page)
        dialog: Dialog[str | None] = Ask("Stop?", REPLIES)
        app.push_screen(dialog)
        await pilot.pause()
        assert around(shown(dialog), box(dialog)) == around(before, box(dialog))
        assert any("Stop?" in line for line in shown(dialog))
        page.query_one("#lines", Static).update(numbered(40, "*"))
        await pilot.pause(0.1)
        assert around(shown(dialog), box(dialog)) == around(shown(page), box(dialog)) != before
        assert "00****" in shown(dialog)[0]
        await pilot.press("escape")
        assert app.screen is page and "00****" in shown(page)[0]


async def test_a_dialog_over_a_dialog_shows_both() -> None:
    app = Below()
    async with app.run_test(size=(90, 25)) as pilot:
        ask: Dialog[str | None] = Ask("Stop?", REPLIES)
        app.push_screen(ask)
        await pilot.pause()
        first = shown(ask)
        over = Help(Section("Dashboard", "Watch it.", ()), None, in_dialog=True)
        app.push_screen(over)
        await pilot.pause()
        assert around(shown(over), box(over)) == around(first, box(over))
        assert any("Watch it." in line for line in shown(over))
        await pilot.press("escape")
        assert shown(app.screen) == first


async def test_a_window_that_changes_under_a_dialog_is_drawn_anew() -> None:
    app = Below()
    async with app.run_test(size=(90, 25)) as pilot:
        page = app.screen
        dialog: Dialog[str | None] = Ask("Stop?", REPLIES)
        app.push_screen(dialog)
        await pilot.pause()
        display, sent = app._display, list[str]()

        def painted(screen: Screen[Any], update: Any) -> None:
            """Do what Textual leaves out where there is no terminal: a frame with a hole ends the app there."""
            if isinstance(update, CompositorUpdate):
                sent.append(update.render_segments(app.console))
            display(screen, update)

        app._display = painted  # type: ignore[method-assign, assignment]
        for width, height in ((70, 20), (120, 20), (120, 40), (50, 15), (150, 50)):
            await pilot.resize_terminal(width, height)
            await pilot.pause(0.1)
            lines = shown(dialog)
            assert len(lines) == height and {len(line) for line in lines} == {width}
            assert around(lines, box(dialog)) == around(shown(page), box(dialog))
            assert "Stop?" in on_a_terminal(app)
        assert len(sent) >= 5


async def test_what_lies_below_answers_no_mouse() -> None:
    app = Below()
    async with app.run_test(size=(90, 25)) as pilot:
        dialog: Dialog[str | None] = Ask("Stop?", REPLIES)
        app.push_screen(dialog)
        await pilot.pause()
        assert not [s for y in range(25) for s in dialog.render_line(y) if s.style and s.style.meta]
