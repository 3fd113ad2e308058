"""What the terminal is told past the screen: that a run has ended, and what to copy."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.runs.folder import RunFolder, RunSummary
from core.settings import Settings
from tests.tui.conftest import (
    HOSTILE,
    FakeEngine,
    Update,
    app_of,
    ending,
    finished,
    opened,
    shows,
    summary,
    training,
    until,
)
from tui.app import AlexNetApp
from tui.notice import clipboard, notice, run_over, wrapped

MakeApp = Callable[[], AlexNetApp]
OSC9 = "\x1b]9;AlexNet: faces finished\x07"


def test_each_part_can_be_switched_off() -> None:
    def sent(**settings: object) -> str:
        return notice("faces finished", Settings(**settings), {})  # type: ignore[arg-type]

    assert sent() == OSC9 + "\x07"
    assert sent(bell=False) == OSC9
    assert sent(notice="osc777") == "\x1b]777;notify;AlexNet;faces finished\x07\x07"
    assert sent(notice="both", bell=False).count("\x1b]") == 2
    assert sent(notice="off") == "\x07"
    assert sent(notice="off", bell=False) == ""


def test_multiplexers_hand_it_on_and_the_console_is_spared() -> None:
    assert wrapped("\x1b]9;a\x07", {"TMUX": "x"}) == "\x1bPtmux;\x1b\x1b]9;a\x07\x1b\\"
    assert wrapped("\x1b]9;a\x07", {"STY": "x"}) == "\x1bP\x1b]9;a\x07\x1b\\"
    assert notice("a", Settings(), {"TERM": "linux"}) == "\x07"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_can_steer_the_terminal_through_a_notice(name: str) -> None:
    run = finished(RunFolder(Path("/r")), data=f"/data/{name}".replace("/]", "]"))
    sent = notice(run_over(run), Settings(notice="both"), {})
    inside = (
        sent.removeprefix("\x1b]9;").replace("\x07\x1b]777;notify;", "").removesuffix("\x07\x07")
    )
    assert inside.isprintable() and len(sent) < 600
    assert sent.count(";") == 4


def test_the_clipboard_gets_what_was_copied() -> None:
    for environment in ({}, {"TMUX": "x"}):
        sent = clipboard("run_tui.py watch é", environment)
        assert base64.b64encode("run_tui.py watch é".encode()).decode() in sent
        assert sent.startswith("\x1b]52;c;")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the app writes past its screen."""
    sent: list[str] = []
    monkeypatch.setattr(AlexNetApp, "to_terminal", lambda self, text: sent.append(text))
    for name in ("TMUX", "STY", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return sent


@pytest.fixture
def standing(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[RunSummary | None]:
    """How the run stands when the app asks: the last element."""
    assert engine.run is not None
    stands: list[RunSummary | None] = [summary(engine.run)]

    async def answer(run: RunFolder) -> RunSummary | None:
        return stands[-1]

    monkeypatch.setattr(engine, "summary", answer)
    return stands


async def looked(pilot: Pilot[None]) -> None:
    """Have the app look for endings, and wait until it has."""
    await app_of(pilot).look_for_endings().wait()
    await pilot.pause()


async def test_the_end_of_a_watched_run_is_told_once(
    make_app: MakeApp, engine: FakeEngine, told: list[str], standing: list[RunSummary | None]
) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    engine.log = training(12)
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "running now")
        await pilot.press("enter")
        await opened(pilot, "dashboard")
        await shows(pilot, "epoch 12/12")
        assert told == []
        standing.append(finished(engine.run))
        engine.more.put_nowait(Update(events=ending(), alive=False))
        engine.more.put_nowait(None)
        await until(pilot, lambda: told)
        await looked(pilot)
        assert told == ["\x1b]9;AlexNet: faces-10k finished, 93.1 % on the test part\x07\x07"]


async def test_the_end_of_a_run_that_home_knows_is_told_on_any_screen(
    make_app: MakeApp, engine: FakeEngine, told: list[str], standing: list[RunSummary | None]
) -> None:
    assert engine.run is not None
    engine.summaries = [summary(engine.run)]
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "running now")
        await pilot.press("1")
        await opened(pilot, "browse")
        await looked(pilot)
        assert told == []
        standing.append(summary(engine.run, state="failed", seconds_left=None))
        await looked(pilot)
        assert told == ["\x1b]9;AlexNet: faces-10k failed\x07\x07"]
        await shows(pilot, "Over", "faces-10k failed")
        # A list that was read before the end comes late.
        app_of(pilot).endings.meet([engine.run])
        await looked(pilot)
        assert len(told) == 1


async def test_a_run_that_was_over_before_is_not_told(
    make_app: MakeApp, engine: FakeEngine, told: list[str], standing: list[RunSummary | None]
) -> None:
    assert engine.run is not None
    engine.summaries = [finished(engine.run)]
    engine.log = [*training(12), *ending()]
    standing.append(finished(engine.run))
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("3")
        await opened(pilot, "runs")
        await pilot.press("w")
        await opened(pilot, "dashboard")
        await shows(pilot, "finished")
        await looked(pilot)
        assert told == []


async def test_a_run_that_was_deleted_is_forgotten(
    make_app: MakeApp, engine: FakeEngine, told: list[str], standing: list[RunSummary | None]
) -> None:
    assert engine.run is not None
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        app_of(pilot).endings.meet([engine.run])
        standing.append(None)
        await looked(pilot)
        standing.append(finished(engine.run))
        await looked(pilot)
        assert told == []


async def test_the_command_line_is_copied(
    make_app: MakeApp, engine: FakeEngine, told: list[str]
) -> None:
    assert engine.run is not None
    engine.log = training(7)
    engine.summaries = [summary(engine.run)]
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "running now")
        await pilot.press("enter")
        await opened(pilot, "dashboard")
        await pilot.press("y")
        await shows(pilot, "copied")
        assert told == [clipboard(f"run_tui.py watch {engine.run.name}", {})]


async def test_it_is_copied_while_a_text_field_has_the_focus(
    make_app: MakeApp,
    engine: FakeEngine,
    data: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[str] = []
    monkeypatch.setattr("tui.terminal.write_log", logged.append)
    assert engine.run is not None
    engine.summaries = [finished(engine.run, data=str(data))]
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "recent")
        await pilot.press("end", "enter")
        await opened(pilot, "configure")
        from tui.widgets.field import Field

        app = app_of(pilot)
        app.screen.query_one("#field-on_finish", Field).control.value = "curl -H S3CRET"
        await pilot.pause()
        await pilot.press("ctrl+y")
        await shows(pilot, "copied")
        assert told == [clipboard(f"run_tui.py train {data} --on-finish 'curl -H S3CRET'", {})]
        assert logged == [f"copied: run_tui.py train {data} --on-finish ..."]
