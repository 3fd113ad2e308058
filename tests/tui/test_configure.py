"""The form: what is typed is checked at once, and what it would do is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.config import SETTINGS, meta, shown
from core.engine import Finding
from core.errors import UserError
from core.settings import Settings
from tests.tui.conftest import (
    SIZES,
    FakeEngine,
    app_of,
    inspection,
    opened,
    paste,
    report,
    screen_text,
    shows,
    until,
)
from tui.app import AlexNetApp
from tui.messages import OpenConfigure
from tui.screens.configure import Configure
from tui.widgets.field import Field

MakeApp = Callable[[], AlexNetApp]


async def configure(pilot: Pilot[None], data: Path) -> None:
    """Open the form for `data`."""
    app_of(pilot).post_message(OpenConfigure(data))
    await opened(pilot, "configure")
    await shows(pilot, "validation")


async def test_the_parts_follow_the_split(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "planned", "7,078")
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
    ("without", "bird//fish"),
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
            control.focus()
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


async def test_all_words_of_a_choice_are_to_be_seen_in_a_small_terminal(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await pilot.press("f2")
        field = pilot.app.screen.query_one("#field-pixels", Field)
        field.control.focus()
        await shows(pilot, "[auto] device memory disk")
        await pilot.press("left")
        await shows(pilot, "auto device memory [disk]")


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
        "minutes": 45,
        "group": r"^(p\d+)_",
        "without": "bird/fish",
        "seed": 7,
        "device": "cpu",
        "gpus": 2,
        "precision": "fp32",
        "pixels": "memory",
        "on_finish": "echo 'a b' | mail me",
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


async def test_arrows_go_through_all_fields_where_they_do_not_fit(
    make_app: MakeApp, data: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await pilot.press("f2")
        screen = app_of(pilot).screen
        assert screen.query_one("#form").max_scroll_y > 0
        seen = []
        for _ in SETTINGS:
            seen += [f.setting for f in screen.query(Field).results(Field) if f.has_focus_within]
            await pilot.press("down")
        await pilot.press("up")
        assert seen == [*SETTINGS[:2], *SETTINGS[2:-1]]
        assert screen.query_one(f"#field-{SETTINGS[-2]}", Field).has_focus_within


async def test_words_that_name_keys_follow_the_keys_of_the_user(
    engine: FakeEngine, data: Path
) -> None:
    keys = {"configure.start": "f10", "configure.more": "f12", "configure.findings": "f11"}
    app = AlexNetApp(engine, settings=Settings(keys=keys))
    async with app.run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "Start training (F10)", "F12: more settings", "F11 lists all of this")
        await pilot.press("f12")
        await shows(pilot, "F12: fewer settings")
        app.use(Settings())
        app.open_settings()
        await opened(pilot, "settings")
        await pilot.press("escape")
        await shows(pilot, "Start training (F5)", "F2: fewer settings")


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


async def test_the_doctor_comes_by_itself_and_deals_in_truth(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "planned", "7,078", "reading 3,200 of 10,000 …")
        await pilot.press("f3")
        await opened(pilot, "configure")
        engine.read.set()
        text = await shows(
            pilot,
            "class        train validation    test",
            "happy        3,591        399   1,000",
            "all          7,066        782   1,964",
            "F3 lists all of this",
            "! 1 picture is of one colour",
            "- 2 files left out",
            "- 1 copy of 1 picture, byte for byte…",
        )
        assert "planned  " not in text
        await pilot.press("f3")
        await opened(pilot, "findings")
        await pilot.press("escape")
        await opened(pilot, "configure")
    assert len(engine.examined) == 1


def has(engine: FakeEngine, setting: str, value: str) -> bool:
    """Tell whether the doctor was asked last with that value."""
    return shown(getattr(engine.examined[-1], setting)) == value


async def test_the_doctor_deals_by_the_settings(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Configure, "REST_SECONDS", 0)
    wanted = {"split": "70", "seed": "7", "group": "^(p[0-9]+)_", "image_size": "96"}
    async with make_app().run_test(size=(120, 40)) as pilot:
        await configure(pilot, data)
        await pilot.press("f2")
        for setting, value in wanted.items():
            pilot.app.screen.query_one(f"#field-{setting} Input", Input).value = value
            await until(pilot, partial(has, engine, setting, value))
        await pilot.pause()
        before = len(engine.examined)
        pilot.app.screen.query_one("#field-epochs Input", Input).value = "9"
        await shows(pilot, "--epochs 9")
    assert len(engine.examined) == before
    assert {name: shown(getattr(engine.examined[-1], name)) for name in wanted} == wanted


async def test_a_change_is_planned_at_once_and_asked_after_a_rest(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "3,591")
        monkeypatch.setattr(Configure, "REST_SECONDS", 100)
        await pilot.press("ctrl+u", "5", "0")
        await shows(pilot, "planned", "4,423", "examining …")
        assert len(engine.examined) == 1
        await pilot.press("ctrl+u", "8", "0")
        text = await shows(pilot, "3,591", "F3 lists all of this")
        assert "planned  " not in text
        monkeypatch.setattr(Configure, "REST_SECONDS", 0)
        await pilot.press("ctrl+u", "6")
        await until(pilot, lambda: [asked.split for asked in engine.examined] == [80, 6])


async def test_a_change_ends_the_examination_before(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Configure, "REST_SECONDS", 0)
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("end", "backspace")
        await until(pilot, lambda: [asked.split for asked in engine.examined] == [80, 8])
        assert [asked.split for asked in engine.left] == [80]
        await pilot.press("backspace")
        await until(pilot, lambda: [asked.split for asked in engine.left] == [80, 8])
        await shows(pilot, "Split cannot be")
        await pilot.press("escape")
        await until(pilot, lambda: getattr(pilot.app.screen, "SECTION", "") != "configure")


async def test_leaving_the_form_ends_the_examination(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("escape")
        await until(pilot, lambda: engine.left == engine.examined)


async def test_the_start_never_waits_for_the_doctor(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("f5")
        await opened(pilot, "dashboard")
        await until(pilot, lambda: engine.left == engine.examined)
    assert len(engine.started) == 1


async def test_after_a_refusal_the_doctor_is_asked_again(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    engine.refusal = UserError("The model cannot be written.", "Name another place.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("f5")
        await shows(pilot, "✗ The model cannot be written.")
        await until(pilot, lambda: len(engine.examined) == 2)
        engine.read.set()
        await shows(pilot, "3,591", "✗ The model cannot be written.")


async def test_what_the_pictures_forbid_stands_on_the_form(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Configure, "REST_SECONDS", 0)
    engine.report = report(trainable=False, problem="Too few [happy] faces.", parts=[])
    async with make_app().run_test(size=(50, 15)) as pilot:
        await configure_narrow(pilot, data)
        await shows(pilot, "✗ Too few [happy] faces.")
        engine.report = report()
        await pilot.press("ctrl+u", "9")
        text = await shows(pilot, "F3: 1 warning, 2 notes, 2 files left out")
        assert "Too few" not in text


async def test_what_cannot_be_dealt_is_not_shown_as_planned(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = report(trainable=False, problem="Too few [happy] faces.", parts=[])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure_narrow(pilot, data)
        text = await shows(pilot, "class     pictures", "4,990", "✗ Too few [happy] faces.")
        assert "planned  " not in text


async def test_an_examination_that_fails_says_why_and_forbids_nothing(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = UserError("A helper process stopped before it was done.", "Try [again].")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "✗ A helper process stopped before it was done.", "planned")
        await pilot.press("f5")
        await opened(pilot, "dashboard")


async def test_a_folder_that_will_not_do_is_not_read(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.found[data] = inspection(data, {}, UserError("Nothing [here].", "Look elsewhere."))
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure_narrow(pilot, data)
        await shows(pilot, "✗ Nothing [here].", "Look elsewhere.")
    assert engine.examined == []


async def test_a_folder_that_came_dealt_says_what_the_split_is_for(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    engine.found[data] = inspection(data, dealt=("test", "train", "validation"))
    engine.report = report(dealt=["train", "validation", "test"])
    async with make_app().run_test(size=(80, 24)) as pilot:
        app_of(pilot).post_message(OpenConfigure(data))
        await opened(pilot, "configure")
        text = await shows(
            pilot, "pictures", "used as dealt. The split does not", "apply.", "5,000"
        )
        assert "planned  " not in text
        engine.read.set()
        await shows(
            pilot, "3,591", "used as dealt. The split does not", "! 1 picture is of one colour"
        )


def damaged() -> Finding:
    """Return the finding that much cannot be read."""
    text = "12% of the pictures cannot be read: is the folder damaged?"
    return Finding(kind="unreadable", level="warning", text=text, files=["happy/torn.jpg"])


async def test_much_that_cannot_be_read_is_asked_about_once(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = report(findings=[damaged()])
    engine.refusal = UserError("The model cannot be written.", "Name another place.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure(pilot, data)
        await shows(pilot, "! 12% of the pictures")
        await pilot.press("f5")
        await shows(pilot, "start: train on the rest")
        await pilot.press("escape")
        await opened(pilot, "configure")
        await pilot.press("f5")
        await shows(pilot, "start: train on the rest")
        await pilot.press("enter")
        await opened(pilot, "findings")
        await pilot.press("escape", "f5", "s")
        await shows(pilot, "✗ The model cannot be written.")
        assert len(engine.started) == 1
        engine.refusal = None
        await pilot.press("f5")
        await opened(pilot, "dashboard")
    assert len(engine.started) == 2


@pytest.mark.parametrize("size", SIZES)
async def test_many_classes_leave_room_for_the_findings(
    make_app: MakeApp, engine: FakeEngine, data: Path, size: tuple[int, int]
) -> None:
    names = [f"class {number}" for number in range(120)]
    engine.found[data] = inspection(data, dict.fromkeys(names, 50))
    engine.report = report(classes=dict.fromkeys(names, 50), parts=[(36, 4, 10)] * len(names))
    async with make_app().run_test(size=size) as pilot:
        await configure_narrow(pilot, data)
        if size[0] < 80:
            text = await shows(pilot, "F3: 1 warning, 2 notes, 2 files left out")
        else:
            text = await shows(
                pilot, "4,320", "more classes", "! 1 picture is of one", "- 2 files left out"
            )
        assert len(screen_text(app_of(pilot)).splitlines()) <= size[1]
        assert "F5" in text


async def test_classes_that_cannot_be_read_are_left_out_by_a_key(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    few = {"bird": 0, "fish": 9, "happy": 4990, "sad": 4822}
    problem = "The class “bird” has only 0 different readable pictures."
    engine.report = report(trainable=False, problem=problem, classes=few, parts=[])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await configure_narrow(pilot, data)
        text = await shows(pilot, problem, "F4 leaves out bird; F3 lists")
        assert "known once examined" not in text
        without = pilot.app.screen.query_one("#field-without", Field)
        without.set("fish")
        await until(pilot, lambda: engine.without == ("fish",))
        await until(pilot, lambda: engine.examined[-1].without == "fish")
        await shows(pilot, problem)
        engine.report = report()
        await pilot.press("f4")
        assert without.value == "fish/bird"
        await until(pilot, lambda: engine.without == ("fish", "bird"))
        await until(pilot, lambda: engine.examined[-1].without == "fish/bird")
        await shows(pilot, "--without fish/bird", "! 1 picture is of one colour")
