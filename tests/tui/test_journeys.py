"""Whole ways through the program, at every size that it promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.conftest import (
    SIZES,
    FakeEngine,
    ending,
    opened,
    paste,
    shows,
    training,
)
from tui.app import AlexNetApp

MakeApp = Callable[[], AlexNetApp]


@pytest.mark.parametrize("size", SIZES)
async def test_from_nothing_to_an_answer(
    make_app: MakeApp, engine: FakeEngine, data: Path, size: tuple[int, int]
) -> None:
    engine.log = [*training(12, str(data)), *ending(str(data / "alexnet.safetensors"))]
    async with make_app().run_test(size=size) as pilot:
        await shows(pilot, "Train a model")
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "faces-10k")
        await pilot.press("down")
        await shows(pilot, "9,830 pictures", "5,000")
        await pilot.press("enter")
        await opened(pilot, "configure")
        await shows(pilot, "Split", "Epochs", "Start training")
        await pilot.press("tab", "ctrl+u", "1", "2", "f5")
        await opened(pilot, "dashboard")
        await shows(pilot, "finished", "Test accuracy 93.1 %")
        await pilot.press("enter")
        await opened(pilot, "classify")
        await shows(pilot, "model of faces-10k")
        await paste(pilot, "https://example.org/face.png", "enter")
        await shows(pilot, "97.0 %", "happy")
        await pilot.press("escape")
        await opened(pilot, "dashboard")
        await pilot.press("q")
        await opened(pilot, "home")
    config = engine.started[0]
    assert (config.data, config.split, config.epochs) == (str(data), 80, 12)
    assert engine.asked == ["https://example.org/face.png"]


async def test_the_built_in_example_leads_to_good_settings(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await opened(pilot, "demo")
        await shows(pilot, "~/alexnet-demo")
        await pilot.press("enter")
        await opened(pilot, "configure")
        await pilot.press("f5")
        await opened(pilot, "dashboard")
        await pilot.press("d")
        await opened(pilot, "home")
    config = engine.started[0]
    assert config.data == str(tmp_path / "alexnet-demo")
    assert (config.image_size, config.epochs) == (64, 12)


@pytest.mark.parametrize("key", ["escape", "backspace"])
async def test_every_screen_goes_back(make_app: MakeApp, key: str, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        for open_key, section in (("1", "browse"), ("3", "runs")):
            await pilot.press(open_key)
            await opened(pilot, section)
            await pilot.press(key)
            await opened(pilot, "home")


async def test_q_leaves_the_program(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        assert app.return_code == 0


async def test_help_says_what_the_keys_do(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await shows(pilot, "Leave the program; training goes on.", "ctrl+p")
        await pilot.press("escape")
        await opened(pilot, "home")


async def test_help_explains_the_field_with_the_focus(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "faces-10k")
        await pilot.press("down")
        await shows(pilot, "9,830 pictures")
        await pilot.press("t")
        await opened(pilot, "configure")
        await pilot.press("tab", "f1")
        await shows(pilot, "How often training goes through all its pictures.")


async def test_the_palette_offers_the_keys_of_the_screen(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)):
        titles = [command.title for command in app.get_system_commands(app.screen)]
    assert "Classify (2)" in titles
    assert "Theme" in titles
