"""Other keys for commands: what is understood, what is refused, and what then is on the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.settings import Settings, read_settings
from tests.tui.conftest import FakeEngine, app_of, finished, opened, shows, training, until
from tui.app import AlexNetApp
from tui.command import shown_key
from tui.commands import EVERYWHERE, SECTIONS
from tui.keymap import all_commands, key_name, keymap
from tui.messages import OpenConfigure
from tui.widgets.menu import Menu

MakeApp = Callable[[], AlexNetApp]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(path))
    return path


def test_every_command_has_an_id_of_its_own() -> None:
    for name, section in SECTIONS.items():
        ids = [command.id for command in (*section.commands, *EVERYWHERE)]
        assert all(ids) and len(set(ids)) == len(ids), name
    assert len(list(all_commands())) > 60


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("p", "p"),
        ("P", "P"),
        ("?", "question_mark"),
        ("-", "minus"),
        ("F8", "f8"),
        ("esc", "escape"),
        ("ctrl+X", "ctrl+x"),
        ("ctrl+pageup", "ctrl+pageup"),
        ("PgDn", "pagedown"),
        ("space", "space"),
        ("xx", None),
        ("ctrl+", None),
        ("ctrl+foo", None),
        ("", None),
        ("\x1b", None),
        ("f99", None),
    ],
)
def test_keys_by_the_names_that_people_use(typed: str, name: str | None) -> None:
    assert key_name(typed) == name


def test_every_key_of_the_program_is_understood_as_it_is_shown() -> None:
    for command in all_commands():
        for key in command.keys.split(","):
            assert key_name(key) == key == key_name(shown_key(key)), command


@pytest.mark.parametrize(
    ("wanted", "counts", "said"),
    [
        ({"dashboard.pause": "z, ?"}, {}, "“?” would mean two things"),
        ({"dashboard.pause": "z, F9"}, {"dashboard.pause": "z,f9"}, ""),
        ({"dashboard.pause": "s"}, {}, "“s” would mean two things on Training: pause/go, stop."),
        (
            {"dashboard.pause": "s", "dashboard.stop": "p"},
            {"dashboard.pause": "s", "dashboard.stop": "p"},
            "",
        ),
        ({"home.train": "j"}, {}, "two things on Home: down, train"),
        ({"list.down": "3"}, {}, "two things on Home"),
        ({"app.help": "f2"}, {}, "two things"),
        ({"runs.watch": "v", "dash.pause": "x"}, {"runs.watch": "v"}, "mean dashboard.pause?"),
        (
            {"runs.watch": "oo", "runs.train": "v"},
            {"runs.train": "v"},
            "no key “oo” for runs.watch",
        ),
        ({"runs.watch": ""}, {}, "no key “”"),
        ({"a\x1b]0;x": "b"}, {}, "a\\x1b]0;x"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_counts(
    wanted: dict[str, str], counts: dict[str, str], said: str
) -> None:
    keys, problems = keymap(wanted)
    assert keys == counts
    text = "\n".join(f"{problem.title} {problem.hint}" for problem in problems)
    assert said in text and bool(problems) == bool(said)


async def test_another_key_works_and_is_named_in_footer_help_and_palette(
    engine: FakeEngine, tmp_path: Path
) -> None:
    assert engine.run is not None
    engine.log = training(7)
    engine.summaries = [finished(engine.run)]
    keys = {"home.runs": "r", "runs.watch": "v", "dashboard.pause": "z", "app.help": "f12"}
    app = AlexNetApp(engine, at=tmp_path, settings=Settings(keys=keys))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "r  Results and past runs", "F12 help")
        await pilot.press("3")
        await pilot.press("r")
        await opened(pilot, "runs")
        await pilot.press("w")
        await opened(pilot, "runs")
        await pilot.press("v")
        await opened(pilot, "dashboard")
        await shows(pilot, "z pause/go")
        await pilot.press("p")
        await pilot.press("z")
        await until(pilot, lambda: engine.orders == ["pause"])
        await pilot.press("f12")
        await shows(pilot, "z                     Pause the training")
        await pilot.press("f12")
        await opened(pilot, "dashboard")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Pause/go (z)" in titles and "Help (F12)" in titles


async def test_what_is_wrong_is_told_once_and_the_usual_keys_work(
    engine: FakeEngine, tmp_path: Path
) -> None:
    settings = Settings(theme="none-such", keys={"home.train": "2", "x[/]": "y"})
    app = AlexNetApp(engine, at=tmp_path, settings=settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "would mean two things on Home", "no theme “none-such”", "x[/]")
        await pilot.press("1")
        await opened(pilot, "browse")


def told(app: AlexNetApp) -> list[str]:
    """Return the messages that are shown for a while."""
    return [message.message for message in app._notifications]


@pytest.mark.parametrize("opens", ["f1", "x"])
async def test_the_program_is_left_from_a_dialog_too(
    engine: FakeEngine, tmp_path: Path, opens: str
) -> None:
    assert engine.run is not None
    engine.summaries = [finished(engine.run)]
    app = AlexNetApp(engine, at=tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("3")
        await opened(pilot, "runs")
        await shows(pilot, "faces-10k")
        await pilot.press(opens)
        await until(pilot, lambda: app.screen.is_modal)
        await pilot.press("ctrl+c")
        said = "esc leads to the first screen; there q leaves the program, as ctrl+q does anywhere."
        await until(pilot, lambda: told(app) == [f"{said} Training goes on."])
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit)


def mark(pilot: Pilot[None], command: str) -> None:
    """Put the cursor on a command."""
    menu = pilot.app.screen.query_one(Menu)
    menu.highlighted = menu.get_option_index(command)


async def test_a_key_is_given_by_pressing_it(make_app: MakeApp, own_settings: Path) -> None:
    async with make_app().run_test(size=(80, 40)) as pilot:
        await pilot.press("5", "f2")
        await opened(pilot, "keys")
        await shows(pilot, "everywhere", "?, F1", "Home")
        mark(pilot, "home.train")
        await shows(pilot, "settings keys.home.train 1")
        await pilot.press("enter")
        await shows(pilot, "Press the key for train")
        await pilot.press("2")
        await shows(pilot, "“2” would mean two things on Home")
        assert read_settings().settings.keys == {}
        await pilot.press("enter", "f9")
        await shows(pilot, "* F9", "settings keys.home.train F9")
        assert read_settings().settings.keys == {"home.train": "f9"}
        await pilot.press("enter", "escape")
        assert app_of(pilot).keymap == {"home.train": "f9"}
        await pilot.press("escape", "escape")
        await opened(pilot, "home")
        await shows(pilot, "F9  Train a model")
        await pilot.press("5", "f2")
        await opened(pilot, "keys")
        mark(pilot, "home.train")
        await pilot.press("delete")
        await until(pilot, lambda: read_settings().settings.keys == {})
        assert app_of(pilot).keymap == {}


async def test_ctrl_c_names_keys_that_no_terminal_takes_away(
    engine: FakeEngine, tmp_path: Path
) -> None:
    keys = {"home.quit": "z", "runs.back": "b", "app.quit": "f12"}
    app = AlexNetApp(engine, at=tmp_path, settings=Settings(keys=keys))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+c")
        said = "z leaves the program, as F12 does anywhere. Training goes on."
        await until(pilot, lambda: told(app) == [said])
        await pilot.press("3")
        await opened(pilot, "runs")
        await pilot.press("ctrl+c")
        await until(pilot, lambda: told(app)[-1] == f"b leads to the first screen; there {said}")


@pytest.mark.parametrize("key", ["question_mark", "f1"])
@pytest.mark.parametrize(("opens", "keys"), [("x", "esc, backspace, n"), ("f6", "esc, backspace")])
async def test_help_explains_a_dialog(
    make_app: MakeApp, engine: FakeEngine, data: Path, key: str, opens: str, keys: str
) -> None:
    assert engine.run is not None
    engine.summaries = [finished(engine.run, data=str(data))]
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        if opens == "x":
            await pilot.press("3")
            await opened(pilot, "runs")
            await shows(pilot, "faces-10k")
        else:
            app.post_message(OpenConfigure(data))
            await opened(pilot, "configure")
        await pilot.press(opens)
        await until(pilot, lambda: app.screen.is_modal)
        dialog = app.screen
        await pilot.press(key)
        text = await shows(pilot, "It names the keys that answer it.", f"{keys}  ")
        assert "Close it without an answer." in text and "ctrl+q" in text
        # These do not work in a dialog.
        assert "ctrl+p" not in text and "ctrl+l" not in text
        await pilot.press(key)
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.is_modal)


async def test_in_a_dialog_with_a_field_a_question_mark_is_typed(
    make_app: MakeApp, data: Path
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(OpenConfigure(data))
        await opened(pilot, "configure")
        await pilot.press("f7")
        await shows(pilot, "Save these settings as")
        dialog = app.screen
        await pilot.press("question_mark")
        assert app.screen is dialog and dialog.query_one(Input).value == "?"
        await pilot.press("f1")
        await shows(pilot, "It names the keys that answer it.")
        await pilot.press("escape")
        assert app.screen is dialog


async def test_a_command_can_be_given_the_key_of_help(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 40)) as pilot:
        await pilot.press("5", "f2")
        await opened(pilot, "keys")
        mark(pilot, "home.train")
        await pilot.press("enter")
        await shows(pilot, "Press the key for train")
        await pilot.press("f1")
        await shows(pilot, "“F1” would mean two things")


@pytest.mark.parametrize(("down", "up"), [("j", "k"), ("down", "up"), ("n", "b")])
async def test_help_scrolls_by_letters_too(
    engine: FakeEngine, tmp_path: Path, down: str, up: str
) -> None:
    keys = {"log.down": "n", "log.up": "b"} if down == "n" else {}
    app = AlexNetApp(engine, at=tmp_path, settings=Settings(keys=keys))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen.query(".dialog"))
        text = app.screen.query_one(".dialog")
        await until(pilot, lambda: text.max_scroll_y > 2)
        await pilot.press(down, down)
        await until(pilot, lambda: text.scroll_y == 2)
        await pilot.press(up)
        await until(pilot, lambda: text.scroll_y == 1)
