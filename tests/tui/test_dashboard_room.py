"""What of a dashboard is seen in how much room: nothing that matters is pushed out of the window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from core.engine import Picture, Source
from core.runs import events as ev
from tests.tui.conftest import (
    START,
    FakeEngine,
    Update,
    ending,
    epoch_events,
    shows,
    training,
    until,
)
from tests.tui.test_dashboard import watch
from tests.tui.test_vitals import gpu, load
from tui.app import AlexNetApp
from tui.widgets.probes import ProbeRow

MakeApp = Callable[[], AlexNetApp]


async def test_the_log_stands_at_its_end_however_its_room_changes(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    said = ev.Note(
        time=START + 30, level="info", text="so many words that they need two lines " * 3
    )
    engine.log = [*training(8), said, ev.Note(time=START + 31, level="info", text="the last line.")]
    engine.loads_to_show = [load(gpu(), gpu())]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "the last line.", "CPU 61 %")
        for size in ((50, 15), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await shows(pilot, "the last line.")
        await pilot.press("m")
        await shows(pilot, "HBM3", "the last line.")
        # At the end there is nothing further down, and the log goes on to follow the run.
        await pilot.press("down", "j", "pagedown")
        engine.more.put_nowait(
            Update(events=[ev.Note(time=START + 32, level="info", text="one more.")], alive=True)
        )
        await shows(pilot, "one more.")


async def test_a_long_line_of_the_log_goes_on_below_its_words(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    # The first line would fit but for the column of the scrollbar.
    words = "so many words that they need more than the single line that there is in this window"
    engine.log = [*training(1), ev.Note(time=START + 30, level="warning", text=words)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        rows = (await shows(pilot, "so many words")).splitlines()
        at = next(y for y, row in enumerate(rows) if "so many words" in row)
        assert rows[at + 1].startswith(" " * 12 + "is in this window")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_row_is_kept_free_for_probes_that_are_not_there(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.log = training(1)[:-2]
    async with make_app().run_test(size=size) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, "training on NVIDIA")
        assert not screen.query_one(ProbeRow).display
        assert not screen.query_one("#probes").display
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        engine.more.put_nowait(Update(events=training(1)[-2:], alive=True))
        await shows(pilot, "happy 0.97" if size[0] == 80 else "0.97 ✓")


async def test_what_has_to_be_seen_at_80_by_24_is_seen_with_all_that_there_is(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    warning = ev.Pulse(
        time=START + 40,
        level="warning",
        kind="one-class",
        text="All 786 validation pictures are answered “" + "n" * 40 + "”.",
        hint="See that the classes can be told apart; else try another --seed or a lower rate.",
    )
    engine.log = [*training(7), warning]
    engine.loads_to_show = [load(*[gpu()] * 8)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        await pilot.press("m")
        await shows(pilot, "epoch 7/12", "run ━", "best 82.9 %", "lower rate.  s: stop", "GPU 97 %")
        text = await shows(pilot, "probes  happy", "●  0 NVIDIA", "$ run_tui.py", "p pause/go")
        assert screen.query_one("#charts").region.height >= 6
        assert screen.query_one("#log").region.height >= 2
        assert len(text.splitlines()) == 24
        await pilot.press("i")
        await shows(pilot, "▀▀▀", "lower rate.  s: stop", "$ run_tui.py", "p pause/go")
        assert screen.query_one(ProbeRow).region.bottom <= 22


async def test_a_small_window_that_asks_for_pictures_keeps_its_log(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(3)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, "best model saved")
        await pilot.press("i")
        await shows(pilot, "▀▀▀")
        await pilot.resize_terminal(50, 15)
        await shows(pilot, "best model saved")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not screen.query_one("#log").display)
        engine.more.put_nowait(Update(events=[*epoch_events(12), *ending()], alive=False))
        await shows(pilot, "Test accuracy", "model written to")


async def test_pictures_are_shown_also_while_answers_come_in(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview, read = engine.preview, asyncio.Event()

    async def slow(source: Path | Source, size: int = 48) -> Picture:
        await read.wait()
        return await preview(source, size)

    monkeypatch.setattr(engine, "preview", slow)
    engine.log = training(2)
    async with make_app().run_test(size=(120, 40)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "0.97 ✓")
        engine.more.put_nowait(Update(events=epoch_events(3), alive=True))
        await shows(pilot, "epoch 3/12")
        read.set()
        await shows(pilot, "▀▀▀")
        await until(pilot, lambda: len(engine.previewed) == 2)
