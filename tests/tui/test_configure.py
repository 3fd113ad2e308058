"""The form: what is typed is checked at once, and what it would do is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from core.config import SETTINGS, meta, shown
from core.errors import UserError
from tests.tui.conftest import FakeEngine, app_of, opened, paste, shows, until
from tui.app import AlexNetApp
from tui.messages import OpenConfigure
from tui.widgets.field import Field

MakeApp = Callable[[], AlexNetApp]


async def configure(pilot: Pilot[None], data: Path) -> None:
    """Open the form for `data`."""
    app_of(pilot).post_message(OpenConfigure(data))
    await opened(pilot, "configure")
    await shows(pilot, "validation")


async def test_the_parts_follow_the_split(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "7,078")
        await pilot.press("ctrl+u", "5", "0")
        await shows(pilot, "4,423", "run_tui.py train", "--split 50")


BAD_VALUES = [
    ("split", "100"),
    ("split", "1_0"),
    ("epochs", "0"),
    ("epochs", "１２"),
    ("epochs", ""),
    ("image_size", "63"),
    ("learning_rate", "nan"),
    ("device", "tpu"),
    ("patience", "[/x]"),
    ("group", "(["),
]


async def test_a_bad_value_says_what_is_right_and_starts_nothing(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await pilot.press("f2")
        for setting, value in BAD_VALUES:
            field = pilot.app.screen.query_one(f"#field-{setting}", Field)
            control = field.query_one(Input)
            before, control.value = control.value, value
            await shows(pilot, f"{meta(setting).title} cannot be “{value}”. It is")
            await pilot.press("f5")
            await opened(pilot, "configure")
            control.value = before
            await until(pilot, lambda field=field: field.error is None)  # type: ignore[misc]
    assert engine.started == []


async def test_an_error_goes_when_the_value_is_right_again(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await pilot.press("ctrl+u", "0")
        text = await shows(pilot, "Split cannot be “0”")
        await pilot.press("ctrl+u", "9", "0")
        await until(pilot, lambda: not pilot.app.screen.query(".-wrong"))
        assert "cannot be" in text


async def test_every_setting_can_be_changed_and_reaches_the_engine(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    wanted = {
        "split": 70,
        "epochs": 5,
        "image_size": 96,
        "batch_size": 32,
        "learning_rate": 0.5,
        "weights": "imagenet",
        "freeze": True,
        "augment": "none",
        "patience": 3,
        "group": r"^(p\d+)_",
        "seed": 7,
        "device": "cpu",
        "precision": "fp32",
    }
    assert set(wanted) == set(SETTINGS)
    async with make_app().run_test(size=(120, 40)) as pilot:
        await configure(pilot, data)
        await pilot.press("f2")
        for setting, value in wanted.items():
            control = pilot.app.screen.query_one(f"#field-{setting}", Field).control
            control.focus()
            await pilot.pause()
            if isinstance(control, Input):
                await pilot.press("ctrl+u")
                await paste(pilot, shown(value))
            else:
                while control.value != shown(value):
                    await pilot.press("right")
        await pilot.press("f5")
        await opened(pilot, "dashboard")
    config = engine.started[0]
    assert {name: getattr(config, name) for name in SETTINGS} == wanted


async def test_what_the_engine_refuses_stays_on_the_form(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.refusal = UserError("The folder [/data] cannot be written.", "Name another place.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await pilot.press("tab", "ctrl+u", "9", "f5")
        await shows(pilot, "✗ The folder [/data] cannot be written.", "Name another place.")
        assert pilot.app.screen.query_one("#field-epochs Input", Input).value == "9"
        engine.refusal = None
        await pilot.press("f5")
        await opened(pilot, "dashboard")
    assert [config.epochs for config in engine.started] == [9, 9]


async def test_the_focused_button_starts_too(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    async with make_app().run_test(size=(50, 15)) as pilot:
        await configure_narrow(pilot, data)
        await pilot.press("enter", "enter", "enter")
        await opened(pilot, "dashboard")
    assert len(engine.started) == 1


async def configure_narrow(pilot: Pilot[None], data: Path) -> None:
    """Open the form where the table of parts has no room."""
    app_of(pilot).post_message(OpenConfigure(data))
    await opened(pilot, "configure")
