"""The runs: in order, found, marked, over one another, compared, resumed, deleted on purpose only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Input

from core.config import TrainConfig
from core.engine import Engine
from core.errors import UserError
from core.runs import events as ev
from core.runs.answers import KeptAnswer
from core.runs.folder import RunFolder, RunSummary
from core.settings import Settings
from tests.tui.conftest import (
    SIZES,
    FakeEngine,
    app_of,
    beginning,
    ending,
    epoch_events,
    finished,
    opened,
    paste,
    screen_text,
    shows,
    summary,
    training,
    until,
)
from tui.app import AlexNetApp
from tui.messages import OpenReport, OpenRuns
from tui.runs import RunTable, layout
from tui.screens.compare import Compare
from tui.screens.confirm import Confirm
from tui.screens.overlay import Overlay, short_names
from tui.screens.runs import Runs
from tui.widgets.rows import Rows

MakeApp = Callable[[], AlexNetApp]


def past(number: int, **changes: object) -> RunSummary:
    """Return a finished run of a place in time and with a score of its own."""
    score = ev.Interval(accuracy=0.5 + number / 100, low=0.4, high=0.9, n=1966)
    fields = {"created": 1.7e9 + number * 3600, "test": score, "seconds": 90.0 * number}
    return finished(RunFolder(Path(f"/runs/run-{number:04}")), **{**fields, **changes})


def made(data: Path, right: Iterable[bool], epochs: int = 12, **settings: object) -> RunFolder:
    """Return a finished run on disk that has answered so on its test part."""
    run = RunFolder.create(TrainConfig(data=str(data), **settings))  # type: ignore[arg-type]
    lines = [
        KeptAnswer(
            path=f"happy/{place}.png",
            truth="happy",
            label="happy" if mark else "sad",
            probabilities=[0.9, 0.1],
        )
        for place, mark in enumerate(right)
    ]
    run.write_predictions(b"\n".join(map(msgspec.json.encode, lines)))
    with run.writer() as log:
        said = beginning(str(data))
        for epoch in range(1, epochs + 1):
            said += epoch_events(epoch)
        for event in [*said, *ending(str(data / "alexnet.safetensors"))]:
            log.write(event)
    return run


@pytest.fixture
def real_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the list come from the run folders on disk."""
    monkeypatch.setattr(FakeEngine, "runs", Engine.runs)


async def listed(pilot: Pilot[None]) -> Runs:
    """Open the runs and wait until they are there."""
    app_of(pilot).post_message(OpenRuns())
    await opened(pilot, "runs")
    screen = pilot.app.screen
    assert isinstance(screen, Runs)
    await until(pilot, lambda: screen.table.runs)
    await pilot.pause()
    return screen


def told(pilot: Pilot[None]) -> str:
    """Return the newest notice."""
    return [notice.message for notice in app_of(pilot)._notifications][-1]


def names(screen: Runs) -> list[str]:
    """Return the names of the runs in the order of the table."""
    return [screen.table.runs[number].name for number in screen.table.shown]


async def test_the_living_come_first_then_the_newest(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [past(1), past(3), summary(engine.run, created=0.0), past(2)]
    async with make_app().run_test(size=(120, 40)) as pilot:
        screen = await listed(pilot)
        assert names(screen) == [engine.run.name, "run-0003", "run-0002", "run-0001"]
        text = await shows(pilot, "4 runs · the living first, by started", "started ↓")
        assert text.index("● training") < text.index("finished")


async def test_s_sorts_by_the_next_column_and_shift_s_turns_it(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.summaries = [
        past(1, data="/d/zebra", best_validation=0.7),
        past(2, data="/d/ant", best_validation=None, state="failed", test=None),
        past(3, data="/d/Bee", best_validation=0.9),
    ]
    async with make_app().run_test(size=(120, 40)) as pilot:
        screen = await listed(pilot)
        await pilot.press("s")
        await shows(pilot, "data ↑")
        assert names(screen) == ["run-0002", "run-0003", "run-0001"]
        await pilot.press("S")
        await shows(pilot, "data ↓", "turned round")
        assert names(screen) == ["run-0001", "run-0003", "run-0002"]
        await pilot.press("s", "s", "s")
        await shows(pilot, "validation ↓")
        assert names(screen) == ["run-0003", "run-0001", "run-0002"]
        await pilot.press("S")
        # What has no value stays at the end.
        assert names(screen) == ["run-0001", "run-0003", "run-0002"]


async def test_a_pattern_is_searched_as_it_is_typed(make_app: MakeApp, engine: FakeEngine) -> None:
    settings = {"augment": "strong"}
    engine.summaries = [past(1, data="/d/Faces"), past(2, settings=settings), past(3)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("slash")
        await paste(pilot, "faces$|aug.* strong")
        await until(pilot, lambda: names(screen) == ["run-0002"])
        screen.query_one("#find", Input).value = "faces "
        await until(pilot, lambda: names(screen) == ["run-0001"])
        await shows(pilot, "1 with “faces ”")
        screen.query_one("#find", Input).value = "faces ("
        await shows(pilot, "no regular expression yet")
        assert names(screen) == ["run-0001"]
        await pilot.press("enter")
        assert isinstance(screen.focused, Rows)
        await pilot.press("escape")
        await until(pilot, lambda: len(names(screen)) == 3)
        assert screen.is_current


async def test_a_runaway_pattern_does_not_hang(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.patterns.DEADLINE_SECONDS", 0.5)
    engine.summaries = [past(1, data=f"/d/{'a' * 60}!"), past(2)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("slash")
        await paste(pilot, "(a+)+ ")
        await shows(pilot, "takes too long")
        assert len(names(screen)) == 2
        await pilot.press("enter", "j")
        assert screen.current is not None and screen.current.name == "run-0001"


async def test_only_lines_that_changed_are_painted(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run, epoch=7), past(1), past(2)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await shows(pilot, "7/12")
        painted: list[int] = []
        rows = screen.query_one(Rows)
        draw = rows._draw

        def watched(number: int, width: int) -> object:
            painted.append(number)
            return draw(number, width)

        rows._draw = watched  # type: ignore[assignment]
        await pilot.press("f5")
        await pilot.pause()
        assert painted == []
        engine.summaries = [summary(engine.run, epoch=8), past(1), past(2)]
        await pilot.press("f5")
        await shows(pilot, "8/12")
        await until(pilot, lambda: painted)
    living = next(n for n, run in screen.table.runs.items() if run.alive)
    assert living in painted


async def test_the_cursor_stays_on_its_run(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [past(1), past(2)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        assert screen.current is not None and screen.current.name == "run-0002"
        engine.summaries = [summary(engine.run), past(1), past(2)]
        await pilot.press("f5")
        await shows(pilot, "● training")
        assert screen.current.name == "run-0002"


async def test_keys_open_what_they_say(make_app: MakeApp, engine: FakeEngine, data: Path) -> None:
    engine.log = training(3)
    own = made(data, [True])
    engine.summaries = [
        finished(own, data=str(data), settings={"epochs": 7}, created=1.8e9),
        past(1, test=None, model=None, state="interrupted"),
    ]
    asked: list[OpenReport] = []
    app = make_app()
    async with app.run_test(size=(80, 24), message_hook=lambda m: _keep(asked, m)) as pilot:
        screen = await listed(pilot)
        await pilot.press("r")
        await until(pilot, lambda: asked)
        assert asked[0].run.path == own.path
        await opened(pilot, "report")
        await pilot.press("escape")
        await opened(pilot, "runs")
        own.model.write_bytes(b"x")
        await pilot.press("m")
        await opened(pilot, "classify")
        # Not the one in the data folder, which a later run may have written.
        assert app.screen.model == own.model  # type: ignore[attr-defined]
        await pilot.press("escape")
        await opened(pilot, "runs")
        await pilot.press("t")
        await opened(pilot, "configure")
        await shows(pilot, f"train {data} --epochs 7")
        await pilot.press("escape")
        await opened(pilot, "runs")
        await pilot.press("j", "r")
        await shows(pilot, "The run run-0001 has no result yet.")
        await pilot.press("R")
        await opened(pilot, "dashboard")
        assert [run.name for run in engine.resumed] == ["run-0001"]
        await pilot.press("q")
        await opened(pilot, "runs")
        engine.refusal = UserError("Nothing to go on from.", "Train again.")
        await pilot.press("R")
        await shows(pilot, "Nothing to go on from.")
        assert screen.is_current


def _keep(asked: list[OpenReport], message: object) -> None:
    if isinstance(message, OpenReport) and message not in asked:
        asked.append(message)


async def test_marked_runs_are_compared(
    make_app: MakeApp, engine: FakeEngine, data: Path, real_list: None
) -> None:
    first = made(data, [True] * 40 + [False] * 20, epochs=12)
    second = made(data, [True] * 60, learning_rate=0.001)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        for run in (second, first):
            number = next(n for n, one in screen.table.runs.items() if one.name == run.name)
            screen.query_one(Rows).mark(number)
            await pilot.press("space")
        await shows(pilot, "2 marked", f"compare {second.name} {first.name}")
        await pilot.press("d")
        await opened(pilot, "compare")
        text = await shows(
            pilot,
            "Learning rate    0.001",
            "run 1 alone is right on 20, run 2 alone on 0",
            "Run 1 is better by more than chance (p < 0.001).",
        )
        assert "Epochs" not in text
        await pilot.press("o")
        await opened(pilot, "overlay")
        await pilot.press("escape", "escape")
        await opened(pilot, "runs")
        await pilot.press("u")
        assert screen.table.marked == []


async def test_one_run_is_not_enough_to_compare(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.summaries = [past(1)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("d")
        await shows(pilot, "It takes two runs to compare.")


async def test_many_columns_are_looked_at_by_key(
    make_app: MakeApp, engine: FakeEngine, data: Path, real_list: None
) -> None:
    for epochs in range(3, 9):
        made(data, [True] * 5, epochs=3, patience=epochs)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press(*["space"] * 7)
        assert len(screen.table.marked) == 7
        await pilot.press("d")
        await opened(pilot, "compare")
        text = await shows(pilot, "7 runs side by side", "1 …", "2 …", "3 …")
        assert "7 …" not in text
        await pilot.press(*["right"] * 9)
        text = await shows(pilot, "1 …", "7 …")
        assert "2 …" not in text
        compare = pilot.app.screen
        assert isinstance(compare, Compare)
        before = compare.column
        await pilot.press("h")
        assert compare.column == before - 1


async def test_more_marks_than_can_be_told_apart_are_refused(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.summaries = [past(number) for number in range(12)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press(*["space"] * 9)
        await shows(pilot, "8 runs are marked already.", "8 marked")
        await pilot.press("k", "space")
        await shows(pilot, "7 marked")
        assert len(screen.table.marked) == 7


async def test_curves_lie_over_one_another(
    make_app: MakeApp, engine: FakeEngine, data: Path, real_list: None
) -> None:
    made(data, [True], epochs=12)
    made(data, [True], epochs=5, augment="strong")
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        screen.query_one(Rows).action_first()
        # The run of the fixture has no epochs yet: it must not disturb.
        await pilot.press("space", "space", "space", "o")
        await opened(pilot, "overlay")
        overlay = pilot.app.screen
        assert isinstance(overlay, Overlay)
        await until(pilot, lambda: sum(map(len, overlay.epochs)) == 17)
        text = await shows(pilot, "Validation over epochs", "90.0 % at 12", "augment strong")
        assert "validation loss" not in text
        await pilot.press("t")
        await shows(pilot, "over the seconds trained")
        await pilot.press("c")
        await shows(pilot, "validation loss")
        await pilot.press("l")
        assert overlay.query_one("#loss").log_scale is True  # type: ignore[attr-defined]


async def test_curves_of_a_living_run_grow(
    make_app: MakeApp, engine: FakeEngine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.overlay.LIVE_SECONDS", 0.02)
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    with engine.run.writer() as log:
        for event in training(2):
            log.write(event)
        async with make_app().run_test(size=(80, 24)) as pilot:
            await listed(pilot)
            await pilot.press("o")
            await opened(pilot, "overlay")
            await shows(pilot, "at 2")
            for event in epoch_events(3):
                log.write(event)
            await shows(pilot, "at 3")
            # Killed and resumed, it does its third epoch again.
            resumed = ev.Resumed(run="r", epoch=3, step=1)
            for event in (resumed, *epoch_events(3), *epoch_events(4)):
                log.write(event)
            await shows(pilot, "at 4")
            overlay = pilot.app.screen
            assert isinstance(overlay, Overlay)
            assert [epoch.epoch for epoch in overlay.epochs[0]] == [1, 2, 3, 4]


async def test_deleting_asks_in_a_way_that_repeats_cannot_answer(
    make_app: MakeApp,
    engine: FakeEngine,
    data: Path,
    real_list: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(Confirm, "clock", lambda: now)
    assert engine.run is not None
    with engine.run.writer():
        pass
    run = made(data, [True])
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        number = next(n for n, one in screen.table.runs.items() if one.name == run.name)
        screen.query_one(Rows).mark(number)
        await pilot.press("x")
        await shows(pilot, "Delete 1 run? It frees", run.name, "Your pictures and the models")
        dialog = pilot.app.screen
        assert isinstance(dialog, Confirm)
        await pilot.press("y", "enter", "x", "x", "y", "enter")
        assert dialog.is_current and not dialog.said_yes
        now = 101.0
        await pilot.press("enter", "x")
        assert dialog.is_current and not dialog.said_yes
        await pilot.press("y")
        assert dialog.said_yes
        # Another key takes the yes back.
        await pilot.press("x", "enter")
        assert dialog.is_current and not dialog.said_yes
        await pilot.press("escape")
        await until(pilot, lambda: screen.is_current)
        assert run.path.exists()

        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.pause()
        now = 102.0
        await pilot.press("y", "enter")
        await until(pilot, lambda: run.name not in names(screen))
        assert told(pilot).startswith("1 run deleted, ")
        assert not run.path.exists() and data.is_dir() and engine.run.path.exists()


async def test_a_living_run_is_not_deleted(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run), past(1)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("g", "space", "space", "x")
        await shows(pilot, "is being trained.", "Stop it first")
        assert screen.is_current and engine.run.path.exists()


async def test_what_cannot_be_deleted_is_said_and_the_rest_is(
    make_app: MakeApp,
    engine: FakeEngine,
    data: Path,
    real_list: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.screens.confirm.SETTLE_SECONDS", 0.0)
    first, second = made(data, [True]), made(data, [True])
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        for run in (first, second):
            number = next(n for n, one in screen.table.runs.items() if one.name == run.name)
            screen.query_one(Rows).mark(number)
            await pilot.press("space")
        # Somebody else goes on with it in the meantime.
        with first.lock():
            await pilot.press("delete")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("y", "enter")
            await shows(pilot, "was not deleted: it is being trained.")
            assert told(pilot).startswith("1 run deleted, ")
        assert first.path.exists() and not second.path.exists()


async def test_the_foot_names_first_what_the_run_under_the_cursor_can_do(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.summaries = [past(2), past(1, test=None, state="interrupted"), past(0)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await shows(pilot, "w watch  r report  space mark  / find  x delete  s sort")
        await pilot.press("j")
        await shows(pilot, "w watch  R resume  space mark  / find  x delete  s sort")
        await pilot.press("space")
        await shows(pilot, "space mark  d compare  o overlay")
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: not screen.table.shown)
        await pilot.press("enter")
        await until(pilot, lambda: screen_text(app_of(pilot)).rstrip().endswith("esc back  / find"))


async def test_a_run_is_resumed_once_however_often_the_key_is_pressed(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunFolder] = []
    started = asyncio.Event()

    async def slow(run: RunFolder) -> RunFolder:
        asked.append(run)
        await started.wait()
        return run

    monkeypatch.setattr(engine, "resume", slow)
    engine.summaries = [past(1, test=None, state="interrupted")]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("R", "R", "R")
        started.set()
        await opened(pilot, "dashboard")
        assert [run.name for run in asked] == ["run-0001"]


async def test_all_that_a_deletion_asks_is_seen_in_the_smallest_window(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    long = "a-rather-long-name-of-a-folder-of-pictures-20261126"
    engine.summaries = [past(n, name=f"{long}-00000{n}") for n in range(8)]
    async with make_app().run_test(size=SIZES[0]) as pilot:
        await listed(pilot)
        await pilot.press(*["space"] * 8, "x")
        names = [f"-00000{n}" for n in range(8)]
        await shows(pilot, "Delete 8 runs?", *names, "Your pictures and the", "esc  keep", "y  yes")
        assert app_of(pilot).screen.query_one("#next").region.height == 2


@pytest.mark.parametrize("size", SIZES)
async def test_columns_fit_every_window(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    assert engine.run is not None
    settings = {"learning_rate": 0.001, "augment": "strong"}
    engine.summaries = [
        summary(engine.run, data="/d/" + "long-name" * 20, epoch=100, epochs=100),
        past(1, settings=settings),
    ]
    async with make_app().run_test(size=size) as pilot:
        await listed(pilot)
        text = await shows(pilot, "data", "● training", "100/100", "51.0 %")
        assert all(len(row) <= size[0] for row in text.splitlines())
        assert ("validation" in text) == (size[0] >= 80)
        assert ("± 25.0" in text.split("$")[0].split("finished")[1].split("\n")[0]) == (
            size[0] >= 120
        )
        assert (
            "learning rate 0.001, augment strong" in text.split("● training")[1].split("\n")[1]
        ) == (size[0] >= 200)


def test_a_row_is_as_wide_as_its_table() -> None:
    table = RunTable()
    table.put([past(1, settings={"epochs": 3})])
    for width in range(47, 260):
        assert all(room > 0 for _, room in layout(width)), width
        assert sum(len(text) for text, _ in table.row(0, width)) == width
        assert len(table.header(width)) == width


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_the_row_under_the_cursor_can_be_read(engine: FakeEngine, theme: str) -> None:
    engine.summaries = [past(1, test=None, state="interrupted", settings={"epochs": 3})]
    app = AlexNetApp(engine, settings=Settings(theme=theme))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await listed(pilot)
        for segment in screen.query_one(Rows).render_line(0):
            assert segment.style and segment.style.color and segment.style.bgcolor
            text, under = (
                Color.from_rich_color(color)
                for color in (segment.style.color, segment.style.bgcolor)
            )
            assert abs(text.brightness - under.brightness) > 0.35, segment


async def test_a_run_that_is_begun_or_resumed_elsewhere_is_noticed(
    real_list: None,
    make_app: MakeApp,
    engine: FakeEngine,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.screens.runs.IDLE_SECONDS", 0.02)
    first = made(data, [True])
    assert engine.run is not None
    engine.run.writer().close()
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        assert not any(run.alive for run in screen.table.runs.values())
        second = RunFolder.create(TrainConfig(data=str(data)))
        await until(pilot, lambda: second.name in names(screen))
        with second.writer() as log:
            log.write(beginning(str(data))[0])
        await until(pilot, lambda: not any(run.alive for run in screen.table.runs.values()))
        with first.lock(), first.writer() as log:
            log.write(ev.Resumed(run=first.name, epoch=3, step=130))
            await until(pilot, lambda: names(screen)[0] == first.name)


async def test_a_thousand_runs_are_at_hand(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.summaries = [past(number) for number in range(1000)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("end")
        await shows(pilot, "1,000 runs", "run-0000")
        await pilot.press("s")
        assert screen.current is not None and len(names(screen)) == 1000


async def test_an_empty_list_says_what_to_do(make_app: MakeApp, engine: FakeEngine) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        app_of(pilot).post_message(OpenRuns())
        await shows(pilot, "No runs yet. Go back and train a model.")
        await pilot.press("w", "d", "o", "x", "r", "m", "t", "R", "space", "s", "S")
        await pilot.pause()
        assert "No runs yet" in screen_text(app_of(pilot))


def test_names_are_cut_between_their_parts() -> None:
    names = ["faces-10k-20261123-210400", "faces-10k-20261123-211500"]
    assert short_names(names) == ["1 210400", "2 211500"]
    assert short_names(names[:1]) == ["1 faces-10k-20261123-210400"]
    assert short_names(["a", "b"]) == ["1 a", "2 b"]
