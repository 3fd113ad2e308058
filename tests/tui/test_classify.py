"""Classifying: answers, honest doubt, errors, and what escape does."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input

from core.errors import UserError
from tests.tui.conftest import (
    FakeEngine,
    answer,
    app_of,
    model_info,
    opened,
    paste,
    screen_text,
    shows,
    until,
)
from tui.app import AlexNetApp
from tui.messages import OpenClassify
from tui.screens.classify import Classify
from tui.widgets.command_line import CommandLine
from tui.widgets.folders import FolderTree
from tui.widgets.picture import PictureView

MakeApp = Callable[[], AlexNetApp]
MODEL = Path("/data/faces-10k/alexnet.safetensors")


async def classify(pilot: Pilot[None], *, model: Path | None = MODEL) -> None:
    """Open the screen with a model."""
    app_of(pilot).post_message(OpenClassify(model))
    await opened(pilot, "classify")
    if model is not None:
        await shows(pilot, "model of faces-10k", "test 93.1 %")


def told(pilot: Pilot[None]) -> list[str]:
    """Return the messages that are shown for a while."""
    return [message.message for message in app_of(pilot)._notifications]


async def test_doubt_is_said(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.answer = answer("happy", 0.55, sure=False)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press("x", "enter")
        await shows(pilot, "not sure: perhaps happy  55.0 %", "640 × 640 pixels, answered in 12 ms")


async def test_what_an_answer_comes_from_is_shown_on_a_key(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        view = pilot.app.screen.query_one(PictureView)
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")
        plain = [view.render_line(y) for y in range(view.size.height)]
        await pilot.press("f5")
        await shows(pilot, "what it comes from stands out", "patch covered: 41.2 %", "one --heat")
        assert engine.explained == ["one"]
        faded = [view.render_line(y) for y in range(view.size.height)]
        assert faded != plain
        # The next answer is shown so too, until the key is pressed again.
        await pilot.press("ctrl+u")
        await paste(pilot, "two", "enter")
        await shows(pilot, "97.0 %    two", "what it comes from stands out")
        assert engine.explained == ["one", "two"]
        await pilot.press("f5")
        text = await shows(pilot, "97.0 %    two")
        assert "stands out" not in text and "--heat" not in text
        assert [view.render_line(y) for y in range(view.size.height)] == plain


async def test_escape_stops_a_map_and_another_model_clears_it(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "slow", "enter")
        await shows(pilot, "97.0 %    slow")
        await pilot.press("f5")
        await shows(pilot, "covering part after part", "slow --heat")
        await pilot.press("escape")
        text = await shows(pilot, "97.0 %    slow")
        assert "covering" not in text and "--heat" not in text
        assert engine.cancelled == ["slow"]
        await pilot.press("f5")
        await shows(pilot, "covering part after part")
        await pilot.press("f3", "enter")
        await shows(pilot, "model of faces-10k", "SOURCE --heat")
        text = screen_text(app_of(pilot))
        assert "covering" not in text and "answered in" not in text
        assert engine.cancelled == ["slow", "slow"]


async def test_a_map_that_fails_is_said_and_forgotten_with_the_next(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "failing", "enter")
        await shows(pilot, "97.0 %    failing")
        await pilot.press("f5")
        text = await shows(pilot, "The process that holds the model stopped twice")
        assert "covering" not in text and "answered in" in text
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")
        await pilot.press("f5")
        text = await shows(pilot, "stands out")
        assert "stopped twice" not in text


async def test_a_map_is_asked_of_the_answer_on_the_screen_alone(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press("f5")
        await shows(pilot, "SOURCE --heat")
        await paste(pilot, "broken", "enter")
        await shows(pilot, "✗ broken cannot be read: it is empty.")
        await pilot.press("f5", "f5")
        await shows(pilot, "broken --heat")
        assert engine.explained == []


async def test_answers_are_remembered_the_newest_first(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")
        engine.answer = None
        await pilot.press("ctrl+u")
        await paste(pilot, "two", "enter")
        text = await shows(pilot, "✗ two cannot be read: it is empty.", "no answer")
        assert text.index("no answer") < text.rindex("happy")
        # The earlier answer must not stand beside the new source.
        assert text.count("97.0 %") == 1


async def test_escape_stops_the_request_and_only_then_leaves(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "wait", "enter")
        await shows(pilot, "loading the model, then reading wait")
        await pilot.press("escape")
        await shows(pilot, "stopped; nothing was classified")
        assert engine.cancelled == ["wait"]
        await opened(pilot, "classify")
        await pilot.press("escape")
        await opened(pilot, "home")


async def test_a_second_request_takes_the_place_of_a_stuck_one(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "first-wait", "enter")
        await until(pilot, lambda: engine.asked == ["first-wait"])
        await paste(pilot, "second-wait", "enter")
        await until(pilot, lambda: engine.asked == ["first-wait", "second-wait"])
        assert engine.cancelled == ["first-wait"]
        text = await shows(pilot, "reading second-wait")
        assert "stopped" not in text
        await pilot.press("escape")
        await shows(pilot, "stopped; nothing was classified")
        assert engine.cancelled == ["first-wait", "second-wait"]
        await opened(pilot, "classify")
        await pilot.press("escape")
        await opened(pilot, "home")


async def test_an_earlier_answer_never_stands_under_a_new_name(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "one", "enter")
        await shows(pilot, "▀▀▀▀", "sad")
        await paste(pilot, "wait", "enter")
        await shows(pilot, "reading wait")
        await until(pilot, lambda: "▀▀▀▀" not in screen_text(app_of(pilot)))
        # What is left of it is its line among the answers so far.
        text = screen_text(app_of(pilot))
        assert "sad" not in text and text.count("97.0 %") == 1


async def test_the_model_is_closed_when_the_screen_is_left(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        assert engine.open_classifiers == 1
        await pilot.press("escape")
        await opened(pilot, "home")
        await until(pilot, lambda: engine.open_classifiers == 0, "not closed")


async def test_the_model_is_closed_when_the_program_ends(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "wait", "enter")
        await until(pilot, lambda: engine.asked)
        await pilot.press("ctrl+q")
    assert engine.open_classifiers == 0
    assert engine.cancelled == ["wait"]


async def test_without_a_model_it_asks_for_one(make_app: MakeApp, engine: FakeEngine) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot, model=None)
        await shows(pilot, "Which model?")
        engine.model_problem = UserError("There is no model in [/x].", "Train one first.")
        await pilot.press("x", "enter")
        await shows(pilot, "✗ There is no model in [/x].", "Train one first.")
        engine.model_problem = None
        await pilot.press("enter")
        await shows(pilot, "model of faces-10k")


async def test_a_source_without_a_model_leads_to_the_field_for_one(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot, model=None)
        await pilot.press("tab")
        await paste(pilot, "/x/a.png", "enter")
        text = await shows(pilot, "✗ Choose a model first.", "enter loads it")
        screen = pilot.app.screen
        assert screen.query_one("#model").has_focus
        assert "None" not in text and "loading" not in text
        assert not screen.query_one(CommandLine).words
        assert engine.asked == []
        # The source still stands there for when there is a model.
        await paste(pilot, "/m", "enter")
        text = await shows(pilot, "model of faces-10k", "classify /m SOURCE")
        assert "Choose a model" not in text
        await pilot.press("enter")
        await shows(pilot, "97.0 %    /x/a.png")


async def test_a_source_after_a_model_that_would_not_load_does_not_wait_for_it(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.model_problem = UserError("There is no model in /x.", "Train one first.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        app_of(pilot).post_message(OpenClassify(MODEL))
        await shows(pilot, "✗ There is no model in /x.")
        await pilot.press("ctrl+u")
        await paste(pilot, "/other")
        pilot.app.screen.query_one("#source").focus()
        await paste(pilot, "one", "enter")
        await shows(pilot, "✗ Choose a model first.")
        field = pilot.app.screen.query_one("#model", Input)
        assert field.has_focus and field.value == "/other"


@pytest.mark.parametrize("field", ["model", "source"])
async def test_a_home_folder_of_nobody_is_part_of_a_name(
    make_app: MakeApp, engine: FakeEngine, field: str
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot, model=None if field == "model" else MODEL)
        await paste(pilot, "~nosuchuser/x", "enter")
        if field == "model":
            await shows(pilot, "classify '~nosuchuser/x' SOURCE")
        else:
            await shows(pilot, "97.0 %    ~nosuchuser/x")


@pytest.mark.parametrize("write", ["'{}'", '"{}"', "escaped", "url"])
async def test_both_fields_take_what_terminals_paste_for_a_dragged_file(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, write: str
) -> None:
    place = tmp_path / "p q" / "a.png"
    place.parent.mkdir()
    place.touch()
    ways = {"escaped": str(place).replace(" ", "\\ "), "url": place.as_uri()}
    pasted = ways.get(write, write.format(place))
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot, model=None)
        await paste(pilot, pasted, "enter")
        await shows(pilot, f"classify '{place}' SOURCE")
        await paste(pilot, pasted, "enter")
        await shows(pilot, "97.0 %", f"classify '{place}' '{place}'")
    assert engine.asked == [str(place)]


async def test_earlier_answers_are_scrolled_to_whatever_has_the_focus(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        for number in range(12):
            await paste(pilot, f"face-{number:02}", "enter")
            await shows(pilot, f"97.0 %    face-{number:02}")
        screen = pilot.app.screen
        history = screen.query_one("#answers", VerticalScroll)
        assert "face-00" not in await shows(pilot, "97.0 %    face-11", "face-09")
        for keys in (("ctrl+down", "ctrl+up"), ("pagedown", "pageup")):
            await pilot.press(*[keys[0]] * 4)
            assert "97.0 %    face-11" not in await shows(pilot, "97.0 %    face-00")
            await pilot.press(*[keys[1]] * 4)
            await shows(pilot, "97.0 %    face-11")
        await pilot.press("f2")
        assert screen.query_one(FolderTree).has_focus
        await pilot.press("ctrl+down")
        await until(pilot, lambda: history.scroll_y > 0)
        # The answer that was asked for just now is in sight.
        await pilot.press("f2")
        await paste(pilot, "newest", "enter")
        await shows(pilot, "97.0 %    newest")
        await pilot.press("f1")
        await shows(pilot, "ctrl+down, pagedown", "Scroll to older answers.", "ctrl+up, pageup")


async def test_backspace_goes_back_from_the_tree(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press("f2", "backspace")
        screen = pilot.app.screen
        await until(pilot, lambda: not screen.query_one(FolderTree).display)
        # In a field it takes a letter away, and never leaves.
        await pilot.press("x", "backspace", "backspace")
        await opened(pilot, "classify")


async def test_another_model_takes_the_place_of_the_first(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press("f3")
        field = pilot.app.screen.query_one("#model", Input)
        assert field.value == str(MODEL)
        await pilot.press("escape")
        assert not field.display
        await pilot.press("f3", "ctrl+u")
        await paste(pilot, "/other", "enter")
        await shows(pilot, "classify /other SOURCE", "model of faces-10k")
        await until(pilot, lambda: engine.open_classifiers == 1)
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")


async def test_a_model_that_will_not_do_leaves_the_one_in_use(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")
        screen = pilot.app.screen
        assert isinstance(screen, Classify)
        in_use = screen.classifier
        engine.model_problem = UserError("There is no model in [/x].", "Train one first.")
        await pilot.press("f3", "ctrl+u")
        await paste(pilot, "/bad", "enter")
        text = await shows(pilot, "✗ There is no model in [/x].", "model of faces-10k")
        assert "97.0 %    one" in text and f"classify {MODEL} one" in text
        assert screen.classifier is in_use is not None
        assert screen.query_one("#model").has_focus
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one("#source").has_focus)
        assert "no model" not in screen_text(app_of(pilot))
        await paste(pilot, "two", "enter")
        await shows(pilot, "97.0 %    two")


async def test_more_answers_are_saved_than_shown(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tui.screens.classify.MOST_SHOWN", 2)
    monkeypatch.setattr("tui.screens.classify.MOST_KEPT", 3)
    async with make_app().run_test(size=(120, 40)) as pilot:
        await classify(pilot)
        for source in ("one", "two", "three", "four"):
            await paste(pilot, source, "enter")
            text = await shows(pilot, f"97.0 %    {source}")
        assert "97.0 %    three" in text and "97.0 %    two" not in text
        await pilot.press("f4")
        await shows(pilot, "Save 3 answers as a table")
        await pilot.press("ctrl+u")
        await paste(pilot, "a.csv", "enter")
        await until(pilot, lambda: told(pilot) == ["Saved in a.csv, without 1 earlier answer"])
    rows = list(csv.reader((tmp_path / "a.csv").open()))
    assert [row[0] for row in rows] == ["source", "two", "three", "four"]
    assert rows[1][1:3] == ["happy", "0.970000"]
    assert rows[1][-2:] == ["0.970000", "0.030000"]


async def test_answers_of_another_model_are_not_saved_under_the_classes_of_this_one(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with make_app().run_test(size=(120, 40)) as pilot:
        await classify(pilot)
        await paste(pilot, "one", "enter")
        await shows(pilot, "97.0 %    one")
        engine.info = model_info(("cat", "sad"))
        engine.answer = answer("cat", 0.8)
        await pilot.press("f3", "ctrl+u")
        await paste(pilot, "/other", "enter")
        await shows(pilot, "classify /other SOURCE", "model of faces-10k")
        await paste(pilot, "two", "enter")
        await shows(pilot, "80.0 %    two")
        await pilot.press("f4")
        await shows(pilot, "Save 1 answer as a table")
        await pilot.press("ctrl+u")
        await paste(pilot, "a.csv", "enter")
        await until(pilot, lambda: told(pilot) == ["Saved in a.csv, without 1 earlier answer"])
    rows = list(csv.reader((tmp_path / "a.csv").open()))
    assert [row[0] for row in rows] == ["source", "two"]


async def test_letters_go_into_the_field(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press(*"qd?jk")
        assert pilot.app.screen.query_one("#source", Input).value == "qd?jk"
        await opened(pilot, "classify")


async def test_a_file_is_found_in_the_tree(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    (data.parent / "face.png").touch()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await classify(pilot)
        await pilot.press("f2")
        await shows(pilot, "face.png")
        await pilot.press("down", "down", "enter")
        await shows(pilot, "97.0 %")
        await pilot.press("escape", "escape")
        await opened(pilot, "home")
    assert engine.asked == [str(data.parent / "face.png")]
