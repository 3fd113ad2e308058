"""Names from outside on every screen: nothing of them acts, nothing of them crashes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.text import safe_text
from tests.tui.conftest import (
    HOSTILE,
    START,
    FakeEngine,
    answer,
    app_of,
    beginning,
    ending,
    epoch_events,
    finished,
    inspection,
    model_info,
    opened,
    shows,
    summary,
)
from tui.app import AlexNetApp
from tui.messages import OpenClassify, OpenConfigure, OpenRun

MakeApp = Callable[[], AlexNetApp]
pytestmark = pytest.mark.parametrize("name", HOSTILE)


def start_of(name: str) -> str:
    """Return so much of a hostile name, made safe, as is shown everywhere."""
    return safe_text(name)[:8]


def harmless(text: str) -> bool:
    """Tell whether nothing on the screen could steer a terminal."""
    return not any(char in text for char in "\x1b\x07\x9b\u202e")


async def test_home_and_runs(make_app: MakeApp, engine: FakeEngine, name: str) -> None:
    assert engine.run is not None
    engine.summaries = [
        summary(engine.run, data=f"/d/{name}"),
        finished(RunFolder(Path(f"/runs/{Path(name).name}")), data=f"/e/{name}"),
    ]
    async with make_app().run_test(size=(120, 40)) as pilot:
        # A path's name is what stands after its last slash.
        assert harmless(await shows(pilot, f"running now  {start_of(Path(name).name)}"))
        await pilot.press("3")
        await opened(pilot, "runs")
        assert harmless(await shows(pilot, "● training", start_of(Path(name).name)))
        await pilot.press("question_mark", "escape", "end", "x")
        assert harmless(await shows(pilot, "Delete 1 run?", start_of(Path(name).name)))
        await pilot.press("escape", "space", "o")
        await opened(pilot, "overlay")
        assert harmless(await shows(pilot, f"1 {start_of(Path(name).name)}"))


async def test_browse(make_app: MakeApp, engine: FakeEngine, data: Path, name: str) -> None:
    folder = data.parent / name.replace("/", "_")
    folder.mkdir()
    problem = UserError(f"There is nothing in {folder}.", f"Try {name}.")
    engine.found[data.parent] = inspection(data.parent, {}, problem, folder)
    engine.found[folder] = inspection(folder, {name: 5, "b": 9})
    async with make_app().run_test(size=(120, 40)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        assert harmless(await shows(pilot, "There is nothing in", start_of(folder.name)))
        await pilot.press("g")
        assert harmless(await shows(pilot, "14 pictures in 2 classes", start_of(name)))
        await pilot.press("p", "escape")
        await opened(pilot, "browse")


async def test_configure(make_app: MakeApp, engine: FakeEngine, data: Path, name: str) -> None:
    folder = data / name
    engine.found[folder] = inspection(folder, {name: 50, "b": 90})
    engine.refusal = UserError(f"No: {name}", f"Hint: {name}")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenConfigure(folder))
        await opened(pilot, "configure")
        await shows(pilot, "validation", start_of(name))
        await pilot.press("f5")
        assert harmless(await shows(pilot, f"No: {start_of(name)}", f"Hint: {start_of(name)}"))
    assert engine.started[0].data == str(folder)


async def test_dashboard(make_app: MakeApp, engine: FakeEngine, name: str) -> None:
    assert engine.run is not None
    engine.run.worker_log.write_text(name)
    ended = epoch_events(1)
    epoch = next(event for event in ended if isinstance(event, ev.EpochEnded))
    probes = [ev.Probe(name, name, name, 0.5)]
    engine.log = [
        *beginning(f"/d/{name}"),
        ev.LeftOut(time=START, path=name, reason=name),
        ev.Note(time=START, level="warning", text=name),
        *ended[:-2],
        ev.EpochEnded(
            **{key: getattr(epoch, key) for key in epoch.__struct_fields__} | {"probes": probes}
        ),
        ev.RunFailed(time=START, run=name, title=name, hint=name),
    ]
    async with make_app().run_test(size=(200, 60)) as pilot:
        app_of(pilot).post_message(OpenRun(engine.run))
        await opened(pilot, "dashboard")
        assert harmless(
            await shows(pilot, "failed", f"✗ {start_of(name)}", f"left out {start_of(name)}")
        )


async def test_the_end_of_a_run(make_app: MakeApp, engine: FakeEngine, name: str) -> None:
    assert engine.run is not None
    engine.log = [*beginning(), *epoch_events(1), *ending(f"/m/{name}")]
    async with make_app().run_test(size=(120, 40)) as pilot:
        app_of(pilot).post_message(OpenRun(engine.run))
        await opened(pilot, "dashboard")
        assert harmless(await shows(pilot, f"Model /m/{start_of(name)}"))


async def test_classify(make_app: MakeApp, engine: FakeEngine, data: Path, name: str) -> None:
    engine.answer = dataclasses.replace(
        answer("x", 0.9), label=name, probabilities={name: 0.9, "b": 0.1}
    )
    engine.info = model_info((name, "b"), f"/d/{name}")
    picture = data.parent / f"{name.replace('/', '_')}.png"
    picture.touch()
    async with make_app().run_test(size=(120, 40)) as pilot:
        app_of(pilot).post_message(OpenClassify(Path(f"/m/{name}")))
        await opened(pilot, "classify")
        await shows(pilot, f"model of {start_of(Path(name).name)}")
        await pilot.press("f2")
        await shows(pilot, start_of(picture.name))
        await pilot.press("end", "enter")
        assert harmless(await shows(pilot, f"{start_of(name)}", "90.0 %"))
        engine.answer = None
        await pilot.press("enter")
        assert harmless(await shows(pilot, "cannot be read"))
    assert engine.asked == [str(picture)] * 2
