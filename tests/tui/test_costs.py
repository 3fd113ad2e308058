"""What a training will take stands beside the form, and its time is measured once nobody knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.engine import Speed
from core.errors import UserError
from tests.tui.conftest import FakeEngine, costs, opened, opening, report, shows, until
from tui.app import AlexNetApp
from tui.messages import OpenConfigure
from tui.screens.configure import Configure
from tui.widgets.costs import CostLines

MakeApp = Callable[[], AlexNetApp]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in (
        (CostLines, "REST_SECONDS"),
        (CostLines, "MEASURE_REST_SECONDS"),
        (Configure, "REST_SECONDS"),
    ):
        monkeypatch.setattr(owner, name, 0)


async def test_memory_disk_and_time_are_told(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        # 100 epochs of 7,066 pictures; 782 that are only answered, in the mirror too, take two thirds.
        await shows(
            pilot,
            "memory  2.0 GB of 12.0 GB free",
            "disk    500 MB of 80.0 GB free",
            "time    1 h 41 min (measured 125/s)",
        )
        await pilot.press("tab", "ctrl+u", "1", "0")
        await shows(pilot, "time    10 min")


async def test_a_known_speed_is_not_measured_again(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.speed = Speed(images_per_second=2000.0, told_by="training")
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(pilot, "time    6 min (last run 2,000/s)", "3,591")
    assert engine.measured == []


async def test_nothing_is_measured_while_pictures_are_read(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(pilot, "time    known once examined")
        assert engine.measured == []
        engine.read.set()
        await shows(pilot, "measured 125/s")


async def test_what_is_short_is_a_warning(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.costs_found = costs(memory_free=2**30, disk_free=2**20)
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(
            pilot,
            "! memory  2.0 GB of 1.0 GB free",
            "! disk    500 MB of 1 MB free",
            "time    needs more memory than is free",
        )
        await pilot.resize_terminal(50, 15)
        await shows(pilot, "! memory: 2.0 GB of 1.0 GB free")
    assert engine.measured == []


async def test_why_nothing_was_measured_is_said(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.measurement = UserError("Not measured: a [run] goes on.", "Wait.")
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(pilot, "time    Not measured: a [run] goes on.")


@pytest.mark.parametrize(("key", "then"), [("escape", "home"), ("f5", "dashboard")])
async def test_leaving_and_starting_end_the_measurement(
    make_app: MakeApp, engine: FakeEngine, data: Path, key: str, then: str
) -> None:
    engine.measurement = None
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(pilot, "measuring …")
        await until(pilot, lambda: engine.measured)
        await pilot.press(key)
        await opened(pilot, then)
        await until(pilot, lambda: engine.unmeasured == engine.measured)


async def test_a_folder_that_will_not_do_costs_nothing(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = report(trainable=False, problem="Too few [happy] faces.", parts=[])
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await shows(pilot, "✗ Too few [happy] faces.")
    assert engine.measured == []
