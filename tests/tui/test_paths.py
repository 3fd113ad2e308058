"""What pasted text means, and homes that nobody has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from tests.tui.conftest import FakeEngine, opened, paste, shows
from tui.app import AlexNetApp
from tui.paths import completions, existing_folder, meant
from tui.start import _options

MakeApp = Callable[[], AlexNetApp]
NOBODY = "~nosuchuser/x"


def test_what_is_there_as_it_stands_is_not_unquoted(tmp_path: Path) -> None:
    for name in ("'a.png'", "b\\ c.png", " d.png "):
        (tmp_path / name).touch()
        assert meant(str(tmp_path / name)) == str(tmp_path / name)


@pytest.mark.parametrize(
    ("typed", "reading"),
    [
        ("'/nowhere/p q.png'", "/nowhere/p q.png"),
        ("/nowhere/p\\ q/*.png", "/nowhere/p q/*.png"),
        ("file:///nowhere/p%20q.png", "/nowhere/p q.png"),
        ("'https://example.org/a b'", "https://example.org/a b"),
        ("https://example.org/'a'.png?x=%20", "https://example.org/'a'.png?x=%20"),
        ("it's", "it's"),
        ("''", "''"),
        ("a\0'b'", "a\0b"),
        (NOBODY, NOBODY),
    ],
)
def test_pasted_text_is_read_plainly_where_nothing_is(typed: str, reading: str) -> None:
    assert meant(typed) == reading


def test_a_home_of_nobody_is_part_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="There is no folder at ~nosuchuser/x"):
        _options(["--at", NOBODY])
    with pytest.raises(UserError, match="There is no folder at"):
        existing_folder(NOBODY)
    assert completions(NOBODY, files=True).number == 0
    (tmp_path / NOBODY).mkdir(parents=True)
    assert _options(["--at", NOBODY]).at == tmp_path / NOBODY
    assert existing_folder(NOBODY) == tmp_path / NOBODY


async def test_the_example_is_drawn_into_a_folder_of_that_name(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await opened(pilot, "demo")
        await pilot.press("ctrl+u")
        await paste(pilot, NOBODY)
        await shows(pilot, "run_tui.py demo '~nosuchuser/x'")
        await pilot.press("enter")
        await opened(pilot, "configure")
    assert tmp_path / NOBODY in engine.found


async def test_the_app_opens_in_a_folder_of_that_name(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NOBODY).mkdir(parents=True)
    app = AlexNetApp(engine, at=_options([f"--at={NOBODY}"]).at)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
