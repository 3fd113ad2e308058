"""Many pictures: a table that fills, sorted, filtered and searched by key, saved, stopped."""

from __future__ import annotations

import csv
import dataclasses
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.engine import Refusal
from core.errors import UserError
from tests.tui.conftest import (
    HOSTILE,
    SIZES,
    FakeEngine,
    answer,
    app_of,
    model_info,
    opened,
    paste,
    screen_text,
    shows,
    until,
)
from tui.answers import ALL, FAILED, UNSURE, AnswerList, Kept, Outcome, kept
from tui.app import AlexNetApp
from tui.messages import OpenClassify
from tui.screens.answers import Answers
from tui.widgets.path_field import PathField
from tui.widgets.rows import Rows

MakeApp = Callable[[], AlexNetApp]
MODEL = Path("/data/faces-10k/alexnet.safetensors")


@pytest.fixture
def album(engine: FakeEngine, tmp_path: Path) -> Path:
    """A folder of four pictures: a sure one of each class, a doubtful one, a broken one."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png", "broken.png"):
        (folder / name).touch()
    engine.answers = {
        str(folder / "a.png"): answer("happy", 0.99),
        str(folder / "b.png"): answer("sad", 0.80),
        str(folder / "c.png"): answer("happy", 0.51, sure=False),
    }
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start in a folder where a table may be written."""
    monkeypatch.chdir(tmp_path)
    yield


async def table(pilot: Pilot[None], source: object) -> Answers:
    """Open the table for `source` by what a person would type."""
    app_of(pilot).post_message(OpenClassify(MODEL))
    await opened(pilot, "classify")
    await shows(pilot, "model of faces-10k")
    await paste(pilot, str(source), "enter")
    await opened(pilot, "answers")
    screen = pilot.app.screen
    assert isinstance(screen, Answers)
    return screen


def names(screen: Answers) -> list[str]:
    return [Path(screen.answers.outcomes[i].source).name for i in screen.answers.shown]


@pytest.mark.parametrize("size", SIZES)
async def test_every_picture_has_a_line_and_failures_have_theirs(
    make_app: MakeApp, album: Path, size: tuple[int, int]
) -> None:
    async with make_app().run_test(size=size) as pilot:
        await table(pilot, album)
        counted = "1 without an answer" if size[0] >= 80 else "1 no answer"
        text = await shows(pilot, "4 of 4", f"{counted} · 1 not sure")
        for line in ("happy", "99.0 %", "51.0 % ?", "✗ no answer", "broken.png"):
            assert line in text
        if size[0] >= 80:
            await shows(pilot, "happy             2", "sad               1", "✗ no answer       1")


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("size", SIZES)
async def test_progress_and_what_is_looked_at_have_a_row_each(
    engine: FakeEngine, album: Path, size: tuple[int, int], ascii_only: bool
) -> None:
    for number in range(10, 40):
        (album / f"broken{number}.png").touch()
    app = AlexNetApp(engine, ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        screen = await table(pilot, album)
        await shows(pilot, "34 of 34")
        await pilot.press("s", "f", "f")
        text = await shows(pilot, "least sure first")
        rows = text.splitlines()
        at = next(i for i, row in enumerate(rows) if "34 of 34" in row)
        assert "1 not sure" in rows[at] and "31 " in rows[at]
        mark = rows[at + 1][len("least sure first") + 2]
        assert rows[at + 1].strip() == f"least sure first {mark} only no answer {mark} 31 shown"
        # A hundred thousand of them have their row too.
        screen.answers.failed, screen.answers.unsure = 31_234, 45_678
        screen.action_sort()
        text = await shows(pilot, "31,234", "45,678", "surest first")
        rows = text.splitlines()
        at = next(i for i, row in enumerate(rows) if "34 of 34" in row)
        assert "31,234" in rows[at] and "45,678" in rows[at]
        assert rows[at + 1].strip().startswith("surest first")


async def test_it_is_sorted_and_filtered_and_searched_by_key(
    make_app: MakeApp, album: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await table(pilot, album)
        await shows(pilot, "4 of 4", "as given")
        assert names(screen) == ["a.png", "b.png", "broken.png", "c.png"]
        await pilot.press("s")
        await shows(pilot, "least sure first")
        assert names(screen) == ["c.png", "b.png", "a.png", "broken.png"]
        await pilot.press("s")
        assert names(screen) == ["a.png", "b.png", "c.png", "broken.png"]
        await pilot.press("s")
        assert names(screen) == ["a.png", "c.png", "b.png", "broken.png"]
        for kind, left in (
            ("only not sure", ["c.png"]),
            ("only no answer", ["broken.png"]),
            ("only happy", ["a.png", "c.png"]),
            ("only sad", ["b.png"]),
        ):
            await pilot.press("f")
            await shows(pilot, kind)
            assert names(screen) == left
        await pilot.press("f", "slash", *"C.PN")
        await shows(pilot, "only with “c.pn”", "1 shown")
        assert names(screen) == ["c.png"]
        await pilot.press("escape")
        assert len(names(screen)) == 4


async def test_the_marked_picture_is_shown_with_all_there_is_to_say(
    make_app: MakeApp, album: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await table(pilot, album)
        await shows(pilot, "4 of 4", "▀▀▀▀", f"{album}/a.png", "happy 99.0 %   sad 1.0 %")
        await pilot.press("j", "down")
        text = await shows(pilot, "broken.png cannot be read: it is empty.", "Try another picture.")
        assert "▀▀▀▀" not in text
        await pilot.press("end", "k", "home")
        await shows(pilot, f"{album}/a.png")


async def test_all_answers_are_saved_as_a_table(
    make_app: MakeApp, album: Path, tmp_path: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await table(pilot, album)
        await shows(pilot, "4 of 4")
        await pilot.press("e")
        await shows(pilot, "Save 4 answers as a table")
        assert pilot.app.screen.query_one(PathField).value == f"{tmp_path}/answers.csv"
        await pilot.press("enter")
        await until(pilot, (tmp_path / "answers.csv").exists)
        rows = list(csv.reader((tmp_path / "answers.csv").open()))
        assert [Path(row[0]).name for row in rows] == [
            "source", "a.png", "b.png", "broken.png", "c.png"
        ]  # fmt: skip
        # The next one gets another name.
        await pilot.press("f4")
        await shows(pilot, "Save 4 answers")
        assert pilot.app.screen.query_one(PathField).value == f"{tmp_path}/answers-2.csv"


async def test_a_table_is_not_written_over_a_picture(make_app: MakeApp, album: Path) -> None:
    (album / "a.png").write_bytes(b"mine")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await table(pilot, album)
        await shows(pilot, "4 of 4")
        await pilot.press("e", "ctrl+u")
        await paste(pilot, str(album / "a.png"), "enter")
        await shows(pilot, "is there already, and is no table of answers")
    assert (album / "a.png").read_bytes() == b"mine"


async def test_escape_stops_first_and_then_leaves(
    make_app: MakeApp, engine: FakeEngine, album: Path
) -> None:
    (album / "b.png").rename(album / "b.wait")
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await table(pilot, f"{album}/*")
        await shows(pilot, "1 of 4")
        await pilot.press("escape")
        await shows(pilot, "1 of 4 · stopped")
        assert engine.cancelled == ["b.wait"]
        await pilot.press("escape")
        await opened(pilot, "classify")
        assert engine.open_classifiers == 1
        assert not screen.is_attached


async def test_what_holds_no_picture_is_told_in_the_table(
    make_app: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await table(pilot, tmp_path / "empty")
        await shows(pilot, "1 of 1", "✗ no answer", "There are no pictures in")
        await pilot.press("e", "escape")
        await opened(pilot, "answers")


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_from_outside_do_nothing(
    make_app: MakeApp, engine: FakeEngine, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / f"{name.replace('/', '_')}.png").touch()
    (folder / f"broken{name.replace('/', '_')}.png").touch()
    engine.answer = answer(name, 0.9)
    engine.info = model_info((name, "sad"))
    async with make_app().run_test(size=(80, 24)) as pilot:
        await table(pilot, folder)
        text = await shows(pilot, "2 of 2", "90.0 %")
        await pilot.press("f", "f", "f", "j", "slash", "x")
        text += screen_text(app_of(pilot))
        assert not any(char in text for char in "\x1b\x07\x9b\u202e")


async def test_ascii_and_a_light_theme(engine: FakeEngine, album: Path) -> None:
    app = AlexNetApp(engine, ascii_only=True)
    app.theme = "textual-light"
    async with app.run_test(size=(80, 24)) as pilot:
        await table(pilot, album)
        text = await shows(pilot, "4 of 4", "x no answer", "====")
        assert text.isascii()


KINDS = (ALL, UNSURE, FAILED, "=a", "=b")


def some(number: int) -> list[Outcome]:
    """Return outcomes of which every third has no answer."""
    made: list[Outcome] = []
    for i in range(number):
        if i % 3 == 2:
            made.append(Refusal(f"{i}.png", UserError("x", "y")))
        else:
            label = "ab"[i % 2]
            made.append(
                Kept(
                    source=f"{i}.png",
                    label=label,
                    confidence=(i * 37 % 100) / 100,
                    sure=i % 4 == 0,
                    classes=("a", "b"),
                    chances=array("d", [label == "a", label == "b"]),
                )
            )
    return made


def test_a_list_that_grew_is_the_one_that_came_at_once() -> None:
    outcomes = some(100)
    for presses in range(4):
        for kinds in range(len(KINDS)):
            at_once, grown = AnswerList(), AnswerList()
            at_once.add(outcomes)
            grown.add(outcomes[:50])
            for one in (at_once, grown):
                for _ in range(presses):
                    one.next_order()
                one.only = KINDS[kinds]
                one.find("1")
            for start in range(50, 100, 7):
                grown.add(outcomes[start : start + 7][: 100 - start])
            assert grown.shown == at_once.shown
            assert grown.counts == at_once.counts


def test_what_is_kept_of_an_answer_is_small_and_gives_the_answer_back() -> None:
    names = tuple(f"class {number}" for number in range(1000))
    chances = {name: (number + 1) / 500_500 for number, name in enumerate(names)}
    ranked = dict(sorted(chances.items(), key=lambda pair: -pair[1]))
    given = dataclasses.replace(answer("class 999", 0.002), probabilities=ranked)
    small = kept(given, names)
    assert isinstance(small, Kept)
    assert small.classes is names
    assert len(small.chances) * small.chances.itemsize == 8000
    assert small.likeliest(5) == list(ranked.items())[:5]
    assert small.whole() == dataclasses.replace(given, milliseconds=0.0, picture=None)


def test_kinds_are_only_those_that_there_are() -> None:
    answers = AnswerList()
    answers.next_kind()
    assert answers.only == ALL
    answers.add(some(9))
    seen = []
    for _ in range(5):
        answers.next_kind()
        seen.append(answers.only)
    assert seen == [UNSURE, FAILED, "=a", "=b", ALL]


async def test_a_hundred_thousand_lines_cost_no_more_than_those_in_sight(
    make_app: MakeApp,
) -> None:
    drawn: list[int] = []

    def draw(index: int, width: int) -> list[tuple[str, str]]:
        drawn.append(index)
        return [(f"line {index}", "plain")]

    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        rows = Rows(draw)  # type: ignore[arg-type]
        await app.screen.mount(rows, before=0)
        rows.show(range(100_000))
        rows.focus()
        await pilot.press("end")
        await shows(pilot, "line 99999")
        assert rows.marked == 99_999
        assert len(drawn) < 1000
