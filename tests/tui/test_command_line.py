"""The command line at the foot: the words that a shell takes, in the rows that there are."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from tests.tui.conftest import shows
from tui.app import AlexNetApp
from tui.widgets import command_line
from tui.widgets.command_line import CommandLine, painted

WATCH = ["watch", "faces-10k-20261123-210400"]
LONG = ["/opt/some/where/else/.venv/bin/python", "/opt/some/where/else/run_tui.py"]


def rows(start: list[str], words: list[str], width: int = 78) -> list[str]:
    shown = painted(start, words, width).plain.split("\n")
    assert max(map(cell_len, shown)) <= width and len(shown) <= 3
    return shown


def test_the_true_words_are_painted_where_they_fit() -> None:
    for start in (["python3", "run_tui.py"], [".venv/bin/python", "run_tui.py"], ["alexnet-tui"]):
        assert rows(start, WATCH) == [f"$ {' '.join(start)} {' '.join(WATCH)}"]
    assert rows(["my python", "run_tui.py"], WATCH)[0].startswith("$ 'my python' run_tui.py watch")


def test_how_it_is_started_is_cut_before_what_it_does() -> None:
    (shown,) = rows(LONG, WATCH)
    assert shown.startswith("$ …") and len(shown) == 78
    assert shown.endswith("python /opt/some/where/else/run_tui.py watch faces-10k-20261123-210400")
    (shown,) = rows(LONG, WATCH, 48)
    assert shown.startswith("$ …") and shown.endswith("run_tui.py watch faces-10k-20261123-210400")


def test_what_fits_nowhere_is_cut_at_its_end() -> None:
    shown = rows(LONG, ["train", *("--on-finish", "say it again and again " * 20)])
    assert shown[0].startswith("$ …") and "run_tui.py train --on-finish" in shown[0]
    assert len(shown) == 3 and shown[-1].endswith("…")


def test_nothing_of_it_acts_on_the_terminal() -> None:
    assert "\x1b" not in painted(["py\x1bthon", "run_tui.py"], ["doctor", "a\x1b[2J"], 78).plain


async def test_the_foot_shows_what_is_copied(
    make_app: Callable[[], AlexNetApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "start_words", lambda program, typed: LONG)
    async with make_app().run_test(size=(80, 24)) as pilot:
        whole = shlex.join([*LONG, "--help"])
        await shows(pilot, f"$ {whole}")
        foot = pilot.app.screen.query_one(CommandLine)
        assert foot.line == whole
        await pilot.resize_terminal(60, 24)
        await shows(pilot, "$ …", "/opt/some/where/else/run_tui.py --help")
        assert foot.line == whole and foot.size.height == 1
