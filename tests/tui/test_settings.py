"""The settings screen: checked as typed, kept at once, in force at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.settings import FIELDS, NAMES, Settings, read_settings
from tests.tui.conftest import SIZES, FakeEngine, app_of, opened, paste, screen_text, shows, until
from tui.app import AlexNetApp
from tui.screens.settings import SettingsPage
from tui.start import _options
from tui.widgets.field import Field

MakeApp = Callable[[], AlexNetApp]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(path))
    return path


def kept(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


async def test_all_are_shown_and_it_says_where_they_live(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        titles = [str(FIELDS.meta(name).title) for name in NAMES]
        await shows(pilot, "kept in ~/settings.toml", "F2 keys", "esc back", *titles)


async def test_a_theme_counts_as_soon_as_it_is_one(make_app: MakeApp, file: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        await pilot.press(*"nor")
        await shows(pilot, "There is no theme “nor”")
        assert app_of(pilot).theme == "textual-dark"
        await pilot.press("d", "enter")
        await until(pilot, lambda: kept(file) == {"theme": "nord"})
        assert app_of(pilot).theme == "nord"
        await pilot.press("right")
        await until(pilot, lambda: kept(file) == {"theme": "nord", "colours": "colour-blind"})
        assert app_of(pilot).theme == "nord-colour-blind"
        await shows(pilot, "run_tui.py settings colours colour-blind")


async def test_a_theme_from_the_palette_stays_when_something_else_is_set(
    make_app: MakeApp, file: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        app_of(pilot).theme = "dracula"
        await pilot.press("5")
        await opened(pilot, "settings")
        await pilot.press("down", "down", "down", "right")
        await until(pilot, lambda: kept(file) == {"mouse": True})
        assert app_of(pilot).theme == "dracula"


async def test_ascii_counts_on_the_screens_that_are_open(make_app: MakeApp, file: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        await pilot.press("down", "down", "right")
        await until(pilot, lambda: kept(file) == {"ascii": True})
        assert all(screen.has_class("-ascii") for screen in app_of(pilot).screen_stack)
        await until(pilot, lambda: screen_text(app_of(pilot)).isascii())


async def test_a_wrong_value_is_told_and_not_kept(make_app: MakeApp, file: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        pilot.app.screen.query_one("#field-webhook", Field).control.focus()
        await pilot.pause()
        await paste(pilot, "ftp://[red]x[/]")
        await shows(pilot, "Webhook cannot be “ftp://[red]x[/]”", "a URL with http or https")
        await pilot.press("escape")
        await opened(pilot, "home")
        assert kept(file) == {}


async def test_what_was_typed_is_kept_on_the_way_out(make_app: MakeApp, file: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        pilot.app.screen.query_one("#field-on_finish", Field).control.focus()
        await pilot.pause()
        await paste(pilot, "echo done")
        await pilot.press("escape")
        await opened(pilot, "home")
        assert kept(file) == {"on_finish": "echo done"}


async def test_a_file_that_was_changed_elsewhere_counts_when_the_screen_opens(
    make_app: MakeApp, file: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        file.write_text('theme = "light"\nbell = 3\n')
        await pilot.press("5")
        await opened(pilot, "settings")
        await shows(pilot, "Bell cannot be “3”")
        assert app_of(pilot).theme == "textual-light"


async def test_a_file_that_cannot_be_written_is_told(make_app: MakeApp, file: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        file.mkdir()
        await pilot.press("down", "right")
        await shows(pilot, "The settings cannot be kept in")


async def test_problems_at_the_start_are_told_without_markup(engine: FakeEngine) -> None:
    problem = UserError("The file a[/]b is damaged.", "Defaults are used.")
    app = AlexNetApp(engine, problems=[problem])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "The file a[/]b is damaged. Defaults")


@pytest.mark.parametrize("size", SIZES)
async def test_it_fits_every_window(size: tuple[int, int], make_app: MakeApp) -> None:
    async with make_app().run_test(size=size) as pilot:
        await pilot.press("5")
        await opened(pilot, "settings")
        await shows(pilot, "Theme", "Webhook", "Colours of the screens.")
        await pilot.press("f2")
        await opened(pilot, "keys")
        await shows(pilot, "everywhere", "Explain this scree")


async def test_the_palette_opens_them_from_anywhere(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        commands = list(app_of(pilot).get_system_commands(pilot.app.screen))
        next(command for command in commands if command.title == "Settings").callback()
        await opened(pilot, "settings")
        app_of(pilot).open_settings()
        await pilot.pause()
        assert sum(isinstance(s, SettingsPage) for s in pilot.app.screen_stack) == 1


async def test_the_command_line_overrules_ascii(engine: FakeEngine) -> None:
    app = AlexNetApp(engine, ascii_only=True, settings=Settings(ascii=False))
    async with app.run_test(size=(80, 24)) as pilot:
        assert (await shows(pilot, "Train a model")).isascii()
    assert read_settings().settings == Settings()


def test_the_command_line_speaks_of_the_mouse_only_if_it_does() -> None:
    assert _options([]).mouse is None
    assert _options(["--mouse"]).mouse is True
    assert _options(["--no-mouse", "--ascii"])[1:] == (True, False)
