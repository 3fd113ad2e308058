"""The first screen: what runs, what can be done, what was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import TrainConfig
from core.errors import UserError
from core.runs.folder import RunFolder, RunSummary
from tests.tui.conftest import FakeEngine, finished, opened, shows, summary, training, until
from tui import app as app_module
from tui.app import AlexNetApp
from tui.screens import home as home_module
from tui.screens.home import Home
from tui.widgets.menu import Menu

MakeApp = Callable[[], AlexNetApp]


async def test_enter_attaches_to_the_living_run(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    engine.log = training(7)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "running now  faces-10k", "epoch 7/12", "best 92.4 %", "14 min left")
        await pilot.press("enter")
        await opened(pilot, "dashboard")
        await shows(pilot, "training", "epoch 7/12", "best 82.9 % at epoch 7")
        await pilot.press("d")
        await opened(pilot, "home")
        await shows(pilot, "goes on without this window")


async def test_all_living_runs_are_shown_and_each_is_watched_by_enter(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    living = [RunFolder(Path(f"/runs/{name}")) for name in ("one", "two", "three")]
    engine.summaries = [
        summary(living[0], data="/data/[one]"),
        summary(living[1], data="/data/two", state="paused"),
        summary(living[2], data="/data/three", epoch=0, state="preparing", best_validation=None),
        *(finished(RunFolder(Path(f"/runs/{n}")), data=f"/data/{n}") for n in range(1000)),
    ]
    async with make_app().run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "running now  [one]", "running now  two", "running now  three")
        assert text.count("enter: watch") == 3 and "1,003 runs" in text
        await pilot.press("j", "enter")
        await opened(pilot, "dashboard")
        await shows(pilot, "two")


async def test_it_reads_nothing_while_another_screen_covers_it(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    """Whatever changed on it would have the screen above painted anew, whole."""
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "epoch 7/12")
        home = pilot.app.screen
        assert isinstance(home, Home)

        def working() -> bool:
            return any(worker.node is home for worker in pilot.app.workers)

        await pilot.press("3")
        await opened(pilot, "runs")
        await until(pilot, lambda: not working())
        home._poll()
        assert not working()
        await pilot.press("escape")
        await opened(pilot, "home")
        await until(pilot, lambda: not working())
        home._poll()
        assert working()


async def test_enter_trains_when_nothing_runs(make_app: MakeApp, engine: FakeEngine) -> None:
    assert engine.run is not None
    engine.summaries = [finished(engine.run)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "1 run, best 93.1 % ± 1.1")
        await pilot.press("enter")
        await opened(pilot, "browse")


async def test_recent_folders_open_their_settings(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    engine.summaries = [finished(engine.run, data=str(data)), finished(engine.run, data=str(data))]
    async with make_app().run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "recent")
        assert text.count("recent  ~/data/faces-10k") == 1
        await pilot.press("end", "enter")
        await opened(pilot, "configure")
        await shows(pilot, "Train on ~/data/faces-10k", "7,066")


async def test_a_run_that_starts_elsewhere_comes_first(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    assert engine.run is not None
    past = finished(RunFolder(Path("/past")))
    engine.summaries = [past]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "recent")
        await pilot.press("3")
        await opened(pilot, "runs")
        engine.summaries = [summary(engine.run), past]
        await pilot.press("escape")
        await shows(pilot, "running now")
        await pilot.press("enter")
        await opened(pilot, "dashboard")


async def test_a_run_that_starts_elsewhere_is_noticed_and_nothing_is_painted_without_news(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_module, "POLL_SECONDS", 0.02)
    read, looked, traces = 0, 0, RunFolder.traces

    async def runs(data: Path | None = None) -> list[RunSummary]:
        nonlocal read
        read += 1
        return engine.summaries

    def looking() -> dict[str, int]:
        nonlocal looked
        looked += 1
        return traces()

    monkeypatch.setattr(engine, "runs", runs)
    monkeypatch.setattr(RunFolder, "traces", looking)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "none yet")
        await until(pilot, lambda: looked > 3)
        painted: list[object] = []
        menu = pilot.app.screen.query_one(Menu)
        monkeypatch.setattr(menu, "refresh", lambda *args, **options: painted.append(args))
        before, began = read, looked
        await until(pilot, lambda: looked > began + 3)
        assert read == before and painted == []
        monkeypatch.undo()
        monkeypatch.setattr(engine, "runs", runs)
        monkeypatch.setenv("ALEXNET_TUI_RUNS", str(engine.run.path.parent) if engine.run else "")
        begun = RunFolder.create(TrainConfig(data="/data/faces-10k"))
        engine.summaries = [summary(begun)]
        await shows(pilot, "running now  faces-10k")


async def test_an_unreadable_list_of_runs_says_so(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(data: Path | None = None) -> list[RunSummary]:
        raise UserError("Runs cannot be read.", "Look at the folder.")

    monkeypatch.setattr(engine, "runs", refuse)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Runs cannot be read.", "Look at the folder.", "Train a model")


async def test_runs_are_listed_and_opened(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path
) -> None:
    assert engine.run is not None
    engine.log = training(7)
    folder = RunFolder(tmp_path / "past")
    folder.path.mkdir()
    folder.model.write_bytes(b"weights")
    past = finished(folder, data="/data/flowers")
    engine.summaries = [summary(engine.run), past]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await opened(pilot, "runs")
        await shows(pilot, "● training", "flowers", "93.1 %", f"watch {engine.run.name}")
        await pilot.press("m")
        await shows(pilot, "has left no model")
        await pilot.press("j", "m")
        await opened(pilot, "classify")
        await pilot.press("escape")
        await opened(pilot, "runs")
        await pilot.press("w")
        await opened(pilot, "dashboard")
        await pilot.press("q")
        await opened(pilot, "runs")


async def test_the_first_screen_reads_no_style_of_the_others(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "STYLES_SECONDS", 1000)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.stylesheet.has_source(str(AlexNetApp.CSS_PATH), "")
        assert not app.stylesheet.has_source(str(AlexNetApp.OTHER_CSS), "")
        # Whoever opens another screen has its styles at once.
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.stylesheet.has_source(str(AlexNetApp.OTHER_CSS), "")
        assert app.screen.query_one(".dialog").styles.max_width is not None
