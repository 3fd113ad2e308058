"""A handful of screens as they stood when somebody last looked at them, as plain text.

After a wanted change: `SNAPSHOTS=write python -m pytest tests/tui/test_snapshots.py`, then read the difference.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.engine import Device
from core.runs.folder import RunFolder
from tests.tui.conftest import (
    FakeEngine,
    ending,
    finished,
    opened,
    summary,
    training,
    until,
)
from tests.tui.test_matrix import all_shown
from tui.app import AlexNetApp
from tui.messages import OpenRun, OpenRuns

FOLDER = Path(__file__).with_name("snapshots")
GPU = Device(
    name="NVIDIA H100 80GB", is_gpu=True, busy=0.02, memory_used=2**30, memory_total=80 * 2**30
)


@pytest.fixture
def still(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """An engine on which nothing depends on the machine, the folder, or the hour."""

    async def devices() -> list[Device]:
        return [GPU]

    monkeypatch.setattr(engine, "devices", devices)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert engine.run is not None
    engine.run.name = "faces-10k-20261123-210400"
    past = RunFolder(Path("/runs/faces-10k-20261122-190000"))
    engine.summaries = [summary(engine.run), finished(past)]
    yield engine
    monkeypatch.undo()
    time.tzset()


def compare(app: AlexNetApp, name: str) -> None:
    """Compare what stands on the screen with what stood there."""
    path = FOLDER / f"{name}.txt"
    strips = app.screen._compositor.render_strips()
    text = "\n".join(strip.text.rstrip() for strip in strips) + "\n"
    if os.environ.get("SNAPSHOTS") == "write":
        path.write_text(text)
    assert text == path.read_text()


async def test_home(still: FakeEngine) -> None:
    app = AlexNetApp(still)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: all_shown(app, ("running now", "H100")))
        compare(app, "home")


async def test_runs(still: FakeEngine) -> None:
    app = AlexNetApp(still)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(OpenRuns())
        await opened(pilot, "runs")
        await until(pilot, lambda: all_shown(app, ("93.1 %",)))
        compare(app, "runs")


async def test_a_run_that_learns(still: FakeEngine) -> None:
    still.log = training(7)
    app = AlexNetApp(still)
    async with app.run_test(size=(120, 40)) as pilot:
        assert still.run is not None
        app.post_message(OpenRun(still.run))
        await opened(pilot, "dashboard")
        await until(pilot, lambda: all_shown(app, ("epoch 7/12", "┤")))
        compare(app, "dashboard")


async def test_a_run_that_is_over_in_ascii(still: FakeEngine) -> None:
    still.log = [*training(12), *ending()]
    app = AlexNetApp(still, ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        assert still.run is not None
        app.post_message(OpenRun(still.run))
        await opened(pilot, "dashboard")
        await until(pilot, lambda: all_shown(app, ("Test accuracy",)))
        compare(app, "dashboard-ascii")
