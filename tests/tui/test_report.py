"""The report of a run: four parts by key, cells that lead to their pictures, and what is not there said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.engine import Picture, Source
from core.errors import UserError
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.tui.conftest import (
    HOSTILE,
    SIZES,
    START,
    FakeEngine,
    app_of,
    beginning,
    ending,
    epoch_events,
    opened,
    screen_text,
    shows,
    until,
)
from tests.tui.reports import answers_on, finished_run, write
from tui.app import AlexNetApp
from tui.messages import OpenReport, OpenRun
from tui.notice import clipboard
from tui.screens.report import RunReport
from tui.widgets.matrix import ConfusionMatrix
from tui.widgets.mistakes import MistakeList

MakeApp = Callable[[], AlexNetApp]
TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


async def report(pilot: Pilot[None], run: RunFolder) -> RunReport:
    """Open the report of `run` and wait until it is read."""
    app_of(pilot).post_message(OpenReport(run))
    await opened(pilot, "report")
    screen = pilot.app.screen
    assert isinstance(screen, RunReport)
    await until(pilot, lambda: screen.found is not None)
    await pilot.pause()
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_four_parts_say_what_they_have(
    make_app: MakeApp, engine: FakeEngine, data: Path, size: tuple[int, int]
) -> None:
    run = finished_run(data, ["happy", "sad"])
    async with make_app().run_test(size=size) as pilot:
        await report(pilot, run)
        text = await shows(pilot, "89.0 % of 100 pictures, 11 wrong", "95 % interval 81.4 %")
        assert "50.0 % by always answering “happy”" in text and "✓ certified" in text
        await pilot.press("end")
        await shows(pilot, "epochs 12; else by default", "Model")
        await pilot.press("tab")
        await shows(pilot, "[2 matrix]", "42", "84.0 %", "8 (16.0 % of 50 pictures of happy)")
        await pilot.press("tab")
        await shows(pilot, "[3 classes]", "precision", "88.4 %", "happy: 8 of 50 pictures missed")
        await pilot.press("4")
        text = await shows(pilot, "[4 mistakes]", "11 mistakes, the surest first", "happy/0037.png")
        await shows(pilot, "It is happy; the model says sad, sure to 77.0 %")
        rows = text.splitlines()
        assert len(rows) <= size[1] and all(len(row) <= size[0] for row in rows)
        assert size[0] < 80 or "▀▀▀" in screen_text(app_of(pilot))
        await pilot.press("tab")
        await shows(pilot, "[1 summary]")
        await pilot.press("shift+tab")
        await shows(pilot, "[4 mistakes]")


async def test_a_cell_of_the_matrix_leads_to_its_mistakes_and_back(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, TEN)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, run)
        await pilot.press("2")
        # The worst cell is marked; from there by keys to horses that were taken for trucks.
        await shows(pilot, "taken for automobile")
        matrix = screen.query_one(ConfusionMatrix)
        matrix.move_to(TEN.index("horse"), TEN.index("horse"))
        await pilot.press("l", "right")
        assert matrix.marked == (7, 9)
        await shows(pilot, "2 (4.0 % of 50 pictures of horse)", "taken for truck")
        await pilot.press("enter")
        await shows(pilot, "2 pictures of horse, taken for truck, the surest first")
        assert {(t.truth, t.label) for t in screen.mistakes.answers} == {("horse", "truck")}
        await pilot.press("escape")
        await shows(pilot, "[2 matrix]", "taken for truck")
        # What is on the diagonal was right: the least sure of it is shown.
        await pilot.press("left", "h", "enter")
        await shows(pilot, "44 right answers of horse, the least sure first")
        sure = [told.confidence for told in screen.mistakes.answers]
        assert sure == sorted(sure)
        await pilot.press("a", "u")
        await shows(pilot, "55 mistakes, the surest first")
        await pilot.press("escape")
        await opened(pilot, "home")


async def test_counts_and_shares_change_places_where_only_one_fits(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, TEN)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        await pilot.press("2")
        text = await shows(pilot, "airplane         42     8     ·")
        assert "% counts/shares" in text and "horse  ship truck" in text
        await pilot.press("percent_sign")
        await shows(pilot, "airplane       84 %  16 %")
        # With room for both there is nothing to choose.
        await pilot.resize_terminal(120, 40)
        await shows(pilot, "84.0 %", "42")
        await until(pilot, lambda: "counts/shares" not in screen_text(app_of(pilot)))


async def test_mistakes_are_walked_by_key_also_when_one_is_large(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, ["happy", "sad"])
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, run)
        await pilot.press("4", "j")
        await shows(pilot, "happy/0012.png", "sure to 76.4 %")
        await pilot.press("enter")
        await until(pilot, lambda: screen.mistakes.large)
        await pilot.press("down", "j", "k")
        await shows(pilot, "sure to 75.9 %", "happy/0044.png")
        await pilot.press("escape")
        await until(pilot, lambda: not screen.mistakes.large)
        assert screen.mistakes.marked == screen.mistakes.answers[2]
        await pilot.press("k")
        assert screen.mistakes.marked == screen.mistakes.answers[1]


async def test_a_picture_that_is_gone_is_said(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(source: Path | Source, size: int = 48) -> Picture:
        raise UserError(f"{source} cannot be opened (No such file).", "Try another picture.")

    monkeypatch.setattr(engine, "preview", gone)
    run = finished_run(data, ["happy", "sad"])
    async with make_app().run_test(size=(120, 40)) as pilot:
        await report(pilot, run)
        await pilot.press("4")
        await shows(pilot, "It is happy; the model says sad", "0037.png cannot be opened")


async def test_where_there_is_no_mistake_there_is_none_to_open(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, ["happy", "sad"], right=1.0)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, run)
        await pilot.press("4", "enter")
        assert "enter open" not in await shows(pilot, "No mistake.", "u wrong/unsure")
        assert not screen.mistakes.large
        await pilot.press("u")
        await shows(pilot, "right answers, the least sure first", "enter open")


async def test_a_path_is_copied_fit_for_a_shell(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(AlexNetApp, "to_terminal", lambda app, sequence: told.append(sequence))
    for name in ("TMUX", "STY", "TERM"):
        monkeypatch.delenv(name, raising=False)
    run = finished_run(data, ["very happy", "$(sad)"])
    async with make_app().run_test(size=(120, 40)) as pilot:
        await report(pilot, run)
        await pilot.press("4", "c")
        await until(pilot, lambda: told)
    assert told == [clipboard(f"'{data}/very happy/0037.png'", {})]


async def test_classes_are_sorted_and_lead_to_what_was_missed(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, TEN)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, run)
        await pilot.press("3")
        assert re.search("airplane .*\n.*automobile", await shows(pilot, "as in the folder"))
        await pilot.press("s")
        await shows(pilot, "lowest F1 first")
        tested = screen.tested
        assert tested is not None
        worst = TEN[min(range(10), key=tested.f1.__getitem__)]
        await shows(pilot, f"{worst}: ")
        await pilot.press("enter")
        await shows(pilot, f"pictures of {worst}, wrong, the surest first")
        assert {told.truth for told in screen.mistakes.answers} == {worst}
        await pilot.press("backspace")
        await shows(pilot, "[3 classes]")


async def test_many_classes_begin_with_the_pairs_confused_most(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    names = [f"class {k:03}" for k in range(200)]
    run = finished_run(data, names, per_class=8, right=0.6)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, run)
        assert screen.found is not None
        await pilot.press("2", "j")
        second = screen.found.pairs[1]
        line = f"{names[second.truth]} taken for {names[second.answer]}"
        await shows(pilot, line, f"taken for {names[second.answer]}")
        await pilot.press("p")
        assert screen.query_one(ConfusionMatrix).marked == second[:2]
        await pilot.press("end")
        # The ends of names that begin alike tell them apart.
        text = await shows(pilot, "… 199", "class 199")
        assert "class 000" not in text
        await pilot.press("home")
        await shows(pilot, "class 000", "… 000")
        await pilot.press("pagedown", "pagedown", "l")
        row, answer = screen.query_one(ConfusionMatrix).marked
        assert row > 20 and answer == 1
        await shows(pilot, f"class {row:03}")


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_only_shown(
    make_app: MakeApp, engine: FakeEngine, data: Path, name: str
) -> None:
    run = finished_run(data, [name, "b"])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        for key in ("2", "3", "4", "enter", "escape", "2", "enter", "y", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
            text = screen_text(app_of(pilot))
            assert not any(char in text for char in "\x1b\x07\x9b\u202e")


async def test_a_run_that_failed_says_why_and_what_there_is(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    failed = ev.RunFailed(time=START + 9, run="r", title="The disk is full.", hint="Make room.")
    write(engine.run, *beginning(str(data)), *epoch_events(1), failed)
    engine.run.model.write_bytes(b"the best so far")
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await report(pilot, engine.run)
        text = await shows(
            pilot, "✗ The disk is full.", "Make room.", "was not read: the run ended"
        )
        assert "failed" in text and "1 of 12" in text and "m classify" in text
        for key in ("2", "3", "4"):
            await pilot.press(key)
            text = await shows(pilot, "The test part was not read")
            assert "enter open" not in text
        await pilot.press("enter", "j", "y", "s", "p", "u", "percent_sign")
        assert screen.is_current


async def test_a_run_that_still_trains_says_when_there_will_be_a_report(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    write(engine.run, *beginning(str(data)), *epoch_events(1))
    with engine.run.lock():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await report(pilot, engine.run)
            await shows(pilot, "training", "The run is not over")


async def test_a_run_that_was_stopped_is_reported_as_any_other(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    run = engine.run
    _, _, lines = answers_on(["happy", "sad"], 50, 0.9)
    write(run, *beginning(str(data)), *epoch_events(1), *ending(epochs=1))
    run.write_predictions(b"".join(lines) + lines[0][:20])
    async with make_app().run_test(size=(120, 40)) as pilot:
        await report(pilot, run)
        await shows(pilot, "stopped early", "93.1 % of 1,966 pictures", "1 of 12")
        await pilot.press("4")
        await shows(pilot, "11 mistakes, the surest first")


async def test_figures_without_answers_are_shown_all_the_same(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, ["happy", "sad"])
    run.predictions.unlink()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        assert "on average" not in await shows(pilot, "89.0 % of 100 pictures")
        await pilot.press("4")
        await shows(pilot, "The answers of this run were not kept")


async def test_the_dashboard_leads_to_it_and_it_to_classify(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, ["happy", "sad"])
    engine.log = [*beginning(str(data)), *epoch_events(12), *ending()]
    async with make_app().run_test(size=(120, 40)) as pilot:
        app_of(pilot).post_message(OpenRun(run))
        await opened(pilot, "dashboard")
        await shows(pilot, "r report")
        await pilot.press("r")
        await opened(pilot, "report")
        await shows(pilot, f"run_tui.py evaluate {run.model}"[:60], str(data))
        await pilot.press("m")
        await opened(pilot, "classify")
        assert engine.asked == []
        await pilot.press("escape")
        await opened(pilot, "report")
        # From a mistake its picture is the first that is asked about.
        await pilot.press("4")
        mistakes = pilot.app.screen.query_one(MistakeList)
        await until(pilot, lambda: mistakes.marked is not None)
        assert mistakes.marked is not None
        picture = str(mistakes.place(mistakes.marked))
        await pilot.press("m")
        await opened(pilot, "classify")
        await shows(pilot, "97.0 %    ")
        assert engine.asked == [picture]


async def test_a_run_that_lives_has_no_report_yet(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.log = [*beginning(), *epoch_events(1)]
    async with make_app().run_test(size=(120, 40)) as pilot:
        app_of(pilot).post_message(OpenRun(engine.run))
        await opened(pilot, "dashboard")
        assert "r report" not in await shows(pilot, "p pause")
        dashboard = pilot.app.screen
        await pilot.press("r")
        assert pilot.app.screen is dashboard


async def test_in_ascii_all_of_it_is_ascii(engine: FakeEngine, data: Path, tmp_path: Path) -> None:
    run = finished_run(data, ["happy", "sad"])
    async with AlexNetApp(engine, at=tmp_path, ascii_only=True).run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        for key in ("1", "2", "3", "4", "enter"):
            await pilot.press(key)
            await pilot.pause()
            assert screen_text(app_of(pilot)).isascii()


async def test_in_a_small_window_classes_and_what_is_said_of_them_are_told_in_full(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, [f"class {k:03}" for k in range(30)])
    async with make_app().run_test(size=(50, 15)) as pilot:
        await report(pilot, run)
        await pilot.press("3")
        await shows(pilot, "class 000  ", "class 003  ", "of other classes were taken for it")
    run = finished_run(data, ["n" * 60, "b" * 60])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        await pilot.press("3")
        await shows(pilot, "missed, most often taken for", "of other classes were taken for it")


async def test_paths_in_wide_letters_are_cut_at_their_start(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, ["日本語" * 9, "b"])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await report(pilot, run)
        await pilot.press("4")
        await shows(pilot, "日本語/0037.png ")


async def test_help_tells_the_keys_of_what_has_the_focus(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    run = finished_run(data, TEN)
    async with make_app().run_test(size=(120, 40)) as pilot:
        await report(pilot, run)
        await pilot.press("2", "question_mark")
        text = await shows(pilot, "Go one column right.", "Go to the last cell.")
        assert "Go one line down." not in text
        await pilot.press("escape", "4", "question_mark")
        text = await shows(pilot, "Go one page down.", "Go to the last line.")
        assert text.count("Go one line down.") == 1
