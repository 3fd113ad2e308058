"""Choosing the data: the tree, the field, and what is said of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.errors import UserError
from tests.tui.conftest import (
    SIZES,
    FakeEngine,
    app_of,
    finished,
    inspection,
    opened,
    paste,
    report,
    screen_text,
    shows,
    until,
)
from tui.app import AlexNetApp
from tui.paths import completions, existing_folder
from tui.screens.browse import Browse
from tui.widgets.card import FolderCard
from tui.widgets.folder_counts import FolderCount, count_folder
from tui.widgets.folders import FolderTree, list_folder

MakeApp = Callable[[], AlexNetApp]


async def test_a_pasted_path_is_gone_to(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("p")
        await paste(pilot, "~/data/faces-10k", "enter")
        await shows(pilot, "9,830 pictures in 2 classes")
        await pilot.press("t")
        await opened(pilot, "configure")


async def test_a_wrong_path_says_so_and_stays(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("p")
        await paste(pilot, "/nowhere", "enter")
        await shows(pilot, "There is no folder at “/nowhere”.")
        assert pilot.app.screen.query_one("#path", Input).value == "/nowhere"


async def test_escape_leaves_the_field_before_the_screen(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("p", "q", "escape")
        assert isinstance(pilot.app.focused, FolderTree)
        await opened(pilot, "browse")
        await pilot.press("escape")
        await opened(pilot, "home")


async def test_a_folder_that_will_not_do_says_why_and_suggests(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    wrong = UserError("Found no class folders here.", "Look one folder deeper.")
    engine.found[data.parent] = inspection(data.parent, {}, wrong, suggestion=data)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "Found no class folders here.", "Look one folder deeper.")
        await pilot.press("t")
        await opened(pilot, "browse")
        await pilot.press("g")
        await shows(pilot, "9,830 pictures in 2 classes")


async def test_enter_opens_a_folder_that_cannot_be_trained_on(
    make_app: MakeApp, data: Path
) -> None:
    (data.parent / "other" / "deeper").mkdir(parents=True)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "other")
        await pilot.press("down", "down")
        await shows(pilot, "There are no class folders in")
        await pilot.press("enter")
        await shows(pilot, "deeper")


async def test_left_on_the_topmost_folder_goes_higher(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "faces-10k")
        tree = pilot.app.screen.query_one(FolderTree)
        await pilot.press("left")
        await until(pilot, lambda: tree.path == data.parent.parent)


def test_a_huge_folder_is_cut_and_counted(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"c{number:02}").mkdir()
    listed = list_folder(tmp_path, pictures=False, most=10)
    assert [path.name for path in listed[:-1]] == [f"c{number:02}" for number in range(10)]
    assert listed[-1].name == "… 20 more not shown"
    assert not listed[-1].is_dir()


def test_files_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a.PNG").touch()
    (tmp_path / "a.txt").touch()
    os.mkfifo(tmp_path / "pipe.txt")
    assert [path.name for path in list_folder(tmp_path, pictures=False)] == ["b"]
    assert [path.name for path in list_folder(tmp_path, pictures=True)] == ["b", "a.PNG"]
    assert list_folder(tmp_path / "missing", pictures=True) == []


async def test_the_tree_asks_the_disk_only_in_its_thread(
    make_app: MakeApp, data: Path, monkeypatch: object
) -> None:
    listed = list_folder(data, pictures=False)
    for path in data.iterdir():
        path.rmdir()
    assert all(path.is_dir() for path in listed)


def test_tab_completes_folders(tmp_path: Path) -> None:
    for name in ("faces-10k", "faces-2", ".git", ".ghost"):
        (tmp_path / name).mkdir()
    (tmp_path / "faces.txt").touch()
    found = completions(f"{tmp_path}/fa", files=False)
    assert (found.names, found.number) == (("faces-10k/", "faces-2/"), 2)
    assert found.longer == f"{tmp_path}/faces-"
    assert completions(f"{tmp_path}/faces-", files=False).longer is None
    assert completions(f"{tmp_path}/faces-2", files=False).longer == f"{tmp_path}/faces-2/"
    assert completions(f"{tmp_path}/faces", files=True).number == 3
    assert completions(f"{tmp_path}/", files=False).number == 2
    assert completions(f"{tmp_path}/.g", files=False).names == (".ghost/", ".git/")
    assert completions(f"{tmp_path}/x", files=False).first is None
    assert completions("~", files=False).longer == "~/"
    assert completions("\0/", files=False).first is None


def test_a_pasted_path_may_be_quoted(tmp_path: Path) -> None:
    odd = tmp_path / "it's a [folder]"
    odd.mkdir()
    for typed in (
        str(odd),
        f"  {odd}/ ",
        f'"{odd}"',
        f"{tmp_path}/it\\'s\\ a\\ [folder]",
        f"file://{tmp_path}/it's%20a%20[folder]",
    ):
        assert existing_folder(typed) == odd, typed
    with pytest.raises(UserError, match="no folder"):
        existing_folder("'unbalanced")
    with pytest.raises(UserError, match="no folder"):
        existing_folder("  ")


async def test_tab_takes_the_completion(make_app: MakeApp, data: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("p")
        await paste(pilot, "~/data/fac")
        await shows(pilot, "~/data/faces-10k/")
        await pilot.press("tab", "enter")
        await shows(pilot, "9,830 pictures in 2 classes")


async def test_the_names_that_complete_a_path_are_shown(make_app: MakeApp, data: Path) -> None:
    (data.parent / "faces [2]").mkdir()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("p")
        await paste(pilot, "~/data/f")
        await shows(pilot, "2: faces [2]/  faces-10k/")
        await pilot.press("tab")
        assert pilot.app.screen.query_one("#path", Input).value == "~/data/faces"
        await pilot.press("-", "tab", "down")
        assert isinstance(pilot.app.focused, FolderTree)
        assert pilot.app.screen.query_one("#path", Input).value == "~/data/faces-10k/"
        await until(pilot, lambda: not pilot.app.screen.query_one("#completions").display)


async def test_recent_folders_are_chosen_by_key(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    engine.summaries = [
        finished(engine.run, data="/data/[old]", created=1.0),
        finished(engine.run, data=str(data), created=2.0),
        finished(engine.run, data=str(data), created=3.0),
    ]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("r")
        text = await shows(pilot, "Recent folders", "/data/[old]")
        assert text.index("~/data/faces-10k") < text.index("/data/[old]")
        await pilot.press("j", "k", "enter")
        await opened(pilot, "browse")
        await shows(pilot, "9,830 pictures in 2 classes")


async def test_without_runs_there_is_no_recent_folder(make_app: MakeApp) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("r")
        await shows(pilot, "No folder was trained on yet.")
        await pilot.press("escape")
        await opened(pilot, "browse")


def test_folders_are_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.PNG", ".c.png", "d.txt"):
        (tmp_path / name).touch()
    for name in ("x", "y", "z", ".git"):
        (tmp_path / name).mkdir()
    assert count_folder(tmp_path) == (3, 2, False)
    assert count_folder(tmp_path).words == "3 folders"
    assert count_folder(tmp_path / "x").words == ""
    assert count_folder(tmp_path / "missing").words == ""
    assert FolderCount(0, 200_000, more=True).words == "200,000+ pictures"


async def test_the_tree_says_how_much_is_in_a_folder(make_app: MakeApp, data: Path) -> None:
    (data / "happy" / "a.jpg").touch()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await shows(pilot, "data  1 folder", "faces-10k  2 folders")
        await pilot.press("down", "right")
        await shows(pilot, "happy  1 picture")


async def browse(pilot: Pilot[None], data: Path) -> None:
    """Choose among the data, with the cursor on the folder that can be trained on."""
    await pilot.press("1")
    await opened(pilot, "browse")
    await shows(pilot, "faces-10k")
    await pilot.press("down")
    await shows(pilot, "9,830 pictures")


@pytest.mark.parametrize("left_out", [0, 3])
async def test_pictures_and_the_number_of_classes_are_seen_also_with_many_classes(
    make_app: MakeApp, engine: FakeEngine, data: Path, left_out: int
) -> None:
    many = {f"class-{number:02}": 100 + number for number in range(20)}
    engine.found[data] = replace(inspection(data, many), left_out=left_out)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("down")
        text = await shows(pilot, "2,190 pictures in 20 classes", "▀▀▀▀", "class-00")
        told = int(text.split("… and ")[1].split(" more classes")[0])
        assert f"class-{19 - told:02}" in text and f"class-{20 - told:02}" not in text
        assert ("3 entries left out" in text) == bool(left_out)
        card = pilot.app.screen.query_one(FolderCard)
        assert card.max_scroll_y == 0
        # What is seen of pictures gives way to what must be read.
        await pilot.resize_terminal(50, 15)
        await until(pilot, lambda: "▀" not in screen_text(app_of(pilot)))
        await shows(pilot, "class-00", "more classes")
        await pilot.resize_terminal(120, 40)
        await shows(pilot, "▀▀▀▀", "class-09", "more classes")
        await until(pilot, lambda: card.max_scroll_y == 0)


async def test_a_folder_is_not_looked_at_any_more_once_the_screen_is_left(
    make_app: MakeApp, data: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        screen = pilot.app.screen
        assert isinstance(screen, Browse)
        await pilot.press("escape")
        await opened(pilot, "home")
        await until(pilot, lambda: not screen.is_attached and not screen.children)
        # As a worker does that wakes before it is told that it has ended.
        await Browse.look_at.__wrapped__(screen, data)  # type: ignore[attr-defined]
        assert screen.inspection is None


async def test_a_passing_cursor_reads_no_pictures(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("up")
        await shows(pilot, "There are no class folders in")
        await pilot.press("down")
        await shows(pilot, "9,830 pictures")
        await pilot.press("f3")
        await opened(pilot, "browse")
    assert engine.examined == []


@pytest.mark.parametrize("size", SIZES)
async def test_an_examination_says_how_far_it_is_and_what_it_found(
    make_app: MakeApp, engine: FakeEngine, data: Path, size: tuple[int, int]
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=size) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "reading 3,200 of 10,000 …")
        engine.read.set()
        await shows(pilot, "✓ 9,812 usable", "can be trained on", "F3: 1 warning, 2 notes,")
        if size[1] >= 24:
            await shows(
                pilot,
                "all gray, 48×48",
                "mostly",
                "! 1 picture is of one colour",
                "- 2 files left out",
                "- 1 copy of 1 picture, byte for byte",
                "4,990",
            )
        rows = screen_text(app_of(pilot)).splitlines()
        assert len(rows) <= size[1]
        await pilot.press("f3")
        await opened(pilot, "findings")
        await pilot.press("f3")
        await opened(pilot, "browse")
    assert [asked.data for asked in engine.examined] == [str(data)]


async def test_moving_on_ends_an_examination(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("up")
        await until(pilot, lambda: engine.left == engine.examined)
        text = await shows(pilot, "There are no class folders in")
        assert "reading" not in text
        assert "stopped" not in text


@pytest.mark.parametrize(("key", "section"), [("t", "configure"), ("enter", "configure")])
async def test_going_on_ends_an_examination(
    make_app: MakeApp, engine: FakeEngine, data: Path, key: str, section: str
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "reading 3,200 of 10,000 …")
        examined = engine.examined[0]
        await pilot.press(key)
        await until(pilot, lambda: examined in engine.left)
        await opened(pilot, section)


async def test_escape_ends_an_examination_before_the_screen(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e", "e")
        await shows(pilot, "reading 3,200 of 10,000 …")
        await pilot.press("escape")
        await shows(pilot, "examination stopped", "9,830 pictures")
        await opened(pilot, "browse")
        engine.read.set()
        await pilot.press("e")
        await shows(pilot, "9,812 usable pictures")
        await pilot.press("escape")
        await opened(pilot, "home")
    assert len(engine.examined) == 2
    assert len(engine.left) == 1


async def test_leaving_the_screen_ends_an_examination(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.read.clear()
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "reading 3,200 of 10,000 …")
        pilot.app.pop_screen()
        await until(pilot, lambda: engine.left == engine.examined)


async def test_what_the_pictures_forbid_is_said(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = report(trainable=False, problem="Too few happy faces. Add some [/x].")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        text = await shows(pilot, "✗ Too few happy faces. Add some [/x].")
        assert "can be trained on" not in text
        assert "train on it" not in text
        await pilot.press("t", "enter")
        await opened(pilot, "browse")


async def test_an_examination_that_fails_says_why(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.report = UserError("A helper process stopped before it was done.", "Try [again].")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "✗ A helper process stopped", "Try [again].")
        await pilot.press("f3")
        await opened(pilot, "browse")


async def test_a_folder_that_came_dealt_says_so(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.found[data] = inspection(data, dealt=("test", "train"))
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await shows(pilot, "dealt into train, test: used as dealt;", "validation dealt from train")


async def test_nothing_found_is_said_too(make_app: MakeApp, engine: FakeEngine, data: Path) -> None:
    engine.report = report(findings=[], left_out=[])
    async with make_app().run_test(size=(80, 24)) as pilot:
        await browse(pilot, data)
        await pilot.press("e")
        await shows(pilot, "nothing to warn of, no file left out")


async def test_what_has_too_few_pictures_is_left_out_by_a_key(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    problem = UserError("The class folder “bird” has no picture.", "Put some there.")
    engine.found[data] = inspection(data, {"bird": 0, "happy": 5000, "sad": 4830}, problem)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await opened(pilot, "browse")
        await pilot.press("down")
        await shows(pilot, "“bird” has no picture", "x leave out", "x: train without bird")
        await pilot.press("x")
        await opened(pilot, "configure")
        await shows(pilot, "--without bird")
        assert engine.without == ("bird",)
