"""All that was found, row by row: complete in any window, quick with any number, safe with any name."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.engine import Finding, LeftOutFile, Report
from core.errors import UserError
from core.text import safe_text
from tests.tui.conftest import (
    HOSTILE,
    SIZES,
    FakeEngine,
    app_of,
    opened,
    report,
    shows,
)
from tui.app import AlexNetApp
from tui.findings import Row, all_rows, dealt_words, reported
from tui.messages import OpenConfigure
from tui.screens.findings import Findings
from tui.widgets.findings import FindingRows

MakeApp = Callable[[], AlexNetApp]


async def findings(pilot: Pilot[None], data: Path, found: Report) -> FindingRows:
    """Open the list of all that was `found` in `data`."""
    pilot.app.push_screen(Findings(data, found))
    await opened(pilot, "findings")
    return pilot.app.screen.query_one(FindingRows)


@pytest.mark.parametrize("size", SIZES)
async def test_all_that_was_found_is_there(
    make_app: MakeApp, data: Path, size: tuple[int, int]
) -> None:
    async with make_app().run_test(size=size) as pilot:
        await findings(pilot, data, report())
        await shows(pilot, "faces-10k: 1 warning, 2 notes, 2 files", "9,812 usable pictures")
        await shows(pilot, "can be trained on", "3,591")
        await pilot.press("n")
        await shows(pilot, "! 1 picture is of one colour", "sad/c.jpg")
        await pilot.press("end")
        text = await shows(pilot, "2 files left out", "happy/torn.jpg: ends too early")
        assert "sad/note.png: is empty" in text
        rows = text.splitlines()
        assert len(rows) <= size[1]
        assert all(len(row) <= size[0] for row in rows)


@pytest.mark.parametrize("key", ["escape", "backspace", "f3"])
async def test_it_goes_back(make_app: MakeApp, data: Path, key: str) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await findings(pilot, data, report())
        await pilot.press(key)
        await opened(pilot, "home")


def many(number: int) -> Report:
    """Return a report that leaves out `number` files."""
    return report(left_out=[LeftOutFile(f"happy/{n:06}.jpg", "is empty") for n in range(number)])


async def test_a_hundred_thousand_files_are_listed_at_once(make_app: MakeApp, data: Path) -> None:
    found = many(100_000)
    async with make_app().run_test(size=(80, 24)) as pilot:
        begun = time.process_time()
        rows = await findings(pilot, data, found)
        await shows(pilot, "100,000 files left out")
        for key, name in (("end", "099999"), ("home", "9,812 usable"), ("end", "099999")):
            await pilot.press(key)
            await shows(pilot, name)
        assert time.process_time() - begun < 5
        await pilot.resize_terminal(50, 15)
        await shows(pilot, "09998")
    assert not rows.children


async def test_the_keys_scroll(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        rows = await findings(pilot, data, many(100))
        places = []
        for key in ("down", "j", "up", "k", "pagedown", "space", "pageup", "end", "home"):
            await pilot.press(key)
            await pilot.pause()
            places.append(rows.scroll_offset.y)
        page = places[4]
        assert places[:4] == [1, 2, 1, 0]
        assert page > 10
        assert places[5:7] == [2 * page, page]
        assert places[7] == rows.max_scroll_y
        assert places[8] == 0


async def test_n_and_p_go_from_finding_to_finding(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        rows = await findings(pilot, data, many(100))
        firsts = []
        for key in "nnnnnppppp":
            await pilot.press(key)
            await pilot.pause()
            firsts.append(rows.render_line(0).text.strip()[:8])
        there = ["! 1 pict", "- 1 copy", "- 1 pict", "- 100 fi"]
        assert firsts == [*there, there[3], *there[2::-1], "9,812 us", "9,812 us"]


async def test_a_new_width_keeps_the_place(make_app: MakeApp, data: Path) -> None:
    names = [f"{n:03}{'x' * 100}.jpg" for n in range(200)]
    found = report(left_out=[LeftOutFile(name, "is empty") for name in names])
    async with make_app().run_test(size=(120, 40)) as pilot:
        await findings(pilot, data, found)
        await pilot.press(*["pagedown"] * 3)
        text = await shows(pilot, "jpg: is")
        first = next(name[:3] for name in names if name[:20] in text)
        await pilot.resize_terminal(50, 15)
        await shows(pilot, f"{first}xxx")
        await pilot.resize_terminal(120, 40)
        await shows(pilot, f"{first}xxx")


@pytest.mark.parametrize("name", [*HOSTILE, "漢字" * 60, "", "é" * 99])
async def test_any_name_is_shown_whole_and_does_nothing(
    make_app: MakeApp, data: Path, name: str
) -> None:
    found = report(
        classes={name: 5, "b": 6},
        findings=[
            Finding(kind="x", level="warning", text=f"of {name}", files=[name], groups=[[name] * 2])
        ],
        left_out=[LeftOutFile(name, name)],
    )
    async with make_app().run_test(size=(50, 60)) as pilot:
        await findings(pilot, data / name.replace("/", "_"), found)
        text = await shows(pilot, "1 file left out")
    assert not any(char in text for char in "\x1b\x07\x9b\u202e")
    body = "".join(line.strip() for line in text.splitlines()).replace(" ", "")
    safe = safe_text(name).replace(" ", "")
    assert f"{safe}={safe}" in body
    assert f"{safe}:{safe}" in body


async def test_the_form_shows_hostile_findings_as_text(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    for name in HOSTILE:
        text = f"[/x] {name}"
        engine.report = report(findings=[Finding(kind="x", level="warning", text=text)])
        async with make_app().run_test(size=(120, 40)) as pilot:
            app_of(pilot).post_message(OpenConfigure(data))
            await opened(pilot, "configure")
            await shows(pilot, f"! [/x] {safe_text(name)[:8]}")


async def test_ascii_keeps_the_marks_and_every_column(engine: FakeEngine, data: Path) -> None:
    app = AlexNetApp(engine, at=data.parent, ascii_only=True)
    app.theme = "textual-light"
    async with app.run_test(size=(80, 24)) as pilot:
        await findings(pilot, data, many(100))
        text = await shows(pilot, "! 1 picture is of one colour", "- 100 files left out")
        assert "3,591         399    1,000  happy" in text
        assert text.isascii()


async def test_without_colour_the_marks_stay(
    make_app: MakeApp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await findings(pilot, data, report())
        await shows(pilot, "! 1 picture is of one colour", "- 1 copy of 1 picture")


def test_warnings_stand_first_and_nothing_is_lost() -> None:
    found = many(3)
    rows = all_rows(found)
    headings = [row.text for row in rows if row.role in ("warning", "note")]
    assert headings[0] == "! 1 picture is of one colour"
    assert headings[-1] == "- 3 files left out"
    files = [row.text for row in rows if row.role == "file"]
    assert files[:3] == ["sad/c.jpg", "happy/a.jpg = happy/b.jpg", "x.png"]
    assert len(files) == 6


def test_classes_that_read_alike_crash_nothing() -> None:
    found = report(classes={"alike": 5}, parts=[(3, 1, 1), (3, 1, 1)])
    assert any(row.text.endswith("alike") for row in all_rows(found))


def test_what_forbids_training_is_among_it() -> None:
    rows = all_rows(report(trainable=False, problem="Too few.", parts=[]))
    assert Row("cannot be trained on: Too few.", "bad") in rows


@pytest.mark.parametrize(
    ("dealt", "words"),
    [
        ((), ""),
        (("train", "validation", "test"), "dealt into train, validation, test: used as dealt"),
        (("test", "train"), "dealt into train, test: used as dealt; validation dealt from train"),
    ],
)
def test_a_dealt_folder_in_words(dealt: tuple[str, ...], words: str) -> None:
    assert dealt_words(dealt) == words


def test_the_split_is_for_a_missing_test_part() -> None:
    assert dealt_words(("train", "validation"), of_split=True).endswith("is for test alone.")


async def test_progress_is_told_now_and_then() -> None:
    async def reads() -> AsyncIterator[tuple[int, int] | Report]:
        for done in range(1000):
            yield done, 1000
        yield report()

    told: list[int] = []
    found = await reported(reads(), lambda done, _: told.append(done))
    assert found == report()
    assert told == [0]


async def test_no_report_is_an_error() -> None:
    async def reads() -> AsyncIterator[tuple[int, int] | Report]:
        yield 1, 1

    with pytest.raises(UserError):
        await reported(reads(), lambda *_: None)
