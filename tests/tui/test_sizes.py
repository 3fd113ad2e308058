"""Windows of any size: complete where promised, honest where not, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.conftest import SIZES, FakeEngine, opened, screen_text, shows, summary, training
from tui.app import AlexNetApp
from tui.messages import OpenClassify, OpenConfigure, OpenRun, OpenRuns

MakeApp = Callable[[], AlexNetApp]


@pytest.mark.parametrize("size", [(49, 24), (80, 14), (20, 6), (10, 3), (2, 2), (1, 1)])
async def test_a_small_window_asks_for_room(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "Train a model" not in text
        if size[0] >= 20:
            assert f"Needs 50×15, has {size[0]}×{size[1]}." in " ".join(text.split())


async def test_every_screen_asks_for_room_and_comes_back(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    engine.log = training(3)
    app = make_app()
    app.theme = "textual-light"
    opens = {
        "configure": OpenConfigure(data),
        "classify": OpenClassify(data),
        "runs": OpenRuns(),
        "dashboard": OpenRun(engine.run),
    }
    async with app.run_test(size=(80, 24)) as pilot:
        for section, message in opens.items():
            app.post_message(message)
            await opened(pilot, section)
            await pilot.resize_terminal(40, 10)
            await shows(pilot, "Needs 50×15, has 40×10.")
            await pilot.resize_terminal(80, 24)
            await shows(pilot, "help")
            assert "Needs" not in screen_text(app)


async def test_a_screen_below_learns_of_the_new_size(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.press("escape")
        await opened(pilot, "home")
        await shows(pilot, "Train a model")
        assert "Needs" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_screen_is_complete(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    app = make_app()
    async with app.run_test(size=size) as pilot:
        text = await shows(
            pilot, "running now", "1  Train a model", "4  Try the built-in example", "CPU"
        )
        rows = text.splitlines()
        assert len(rows) <= size[1]
        assert all(len(row) <= size[0] for row in rows)
        assert "q quit" in rows[-1]


async def test_ascii_only_shows_no_block_characters(
    engine: FakeEngine, data: Path, tmp_path: Path
) -> None:
    engine.log = training(3)
    app = AlexNetApp(engine, at=data.parent, ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        text = await shows(pilot, "+ faces-10k")
        await pilot.press("down")
        text = await shows(pilot, "9,830 pictures", "====")
        assert not set("▸▾▇━─") & set(text)
