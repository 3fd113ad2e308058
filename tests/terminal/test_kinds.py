"""The real program on terminals of several kinds: few colours, none, no dots, a mouse."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal.harness import MOUSE, Terminal, python

Check = Callable[[Terminal], bool]
_TRUE_COLOUR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")


def sixteen_colours(terminal: Terminal) -> bool:
    return not re.search(rb"[34]8;[25];", terminal.raw) and b"\x1b[" in terminal.raw


def shades_of_gray(terminal: Terminal) -> bool:
    colours = _TRUE_COLOUR.findall(bytes(terminal.raw))
    return bool(colours) and all(red == green == blue for red, green, blue in colours)


def plain_letters(terminal: Terminal) -> bool:
    return terminal.text.isascii()


def no_mouse(terminal: Terminal) -> bool:
    return not any(terminal.modes.get(mode) for mode in MOUSE)


def a_mouse(terminal: Terminal) -> bool:
    return all(terminal.modes.get(mode) for mode in (1000, 1006))


@pytest.mark.parametrize(
    ("environment", "words", "holds"),
    [
        ({"TERM": "xterm", "COLORTERM": ""}, (), sixteen_colours),
        ({"TERM": "screen", "COLORTERM": ""}, (), sixteen_colours),
        ({"NO_COLOR": "1"}, (), shades_of_gray),
        ({"TERM": "linux", "COLORTERM": ""}, (), plain_letters),
        ({}, ("--ascii",), plain_letters),
        ({}, (), no_mouse),
        ({}, ("--mouse",), a_mouse),
    ],
)
def test_each_kind_gets_what_it_can_show(
    tmp_path: Path, environment: dict[str, str], words: tuple[str, ...], holds: Check
) -> None:
    places = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), str(tmp_path))
    home = places | {"ALEXNET_TUI_RUNS": str(tmp_path / "runs")} | environment
    with Terminal(python("run_tui.py", *words), environment=home) as terminal:
        terminal.wait_for("Train a model", timeout=60)
        terminal.wait_for("q quit")
        assert holds(terminal), terminal.text
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.problems() == []
