"""The registry of keys: complete, without clashes, without keys that terminals eat."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from textual.binding import Binding

from tui.commands import EVERYWHERE, SECTIONS, footer, markdown_table
from tui.widgets.command_line import start_words

CLASSES = {
    "home": "Home",
    "browse": "Browse",
    "configure": "Configure",
    "findings": "Findings",
    "dashboard": "Dashboard",
    "classify": "Classify",
    "answers": "Answers",
    "runs": "Runs",
    "overlay": "Overlay",
    "compare": "Compare",
    "demo": "Demo",
    "report": "RunReport",
    "settings": "SettingsPage",
    "keys": "KeysPage",
}
EATEN = {f"ctrl+{letter}" for letter in "basqoj"}


def test_each_section_has_its_screen() -> None:
    assert set(CLASSES) == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_screen_binds_what_the_registry_says_and_can_do_it(section: str) -> None:
    module = importlib.import_module(f"tui.screens.{section}")
    screen: Any = getattr(module, CLASSES[section])
    bound = {
        (binding.key, binding.action) for binding in screen.BINDINGS if isinstance(binding, Binding)
    }
    assert bound == {(command.keys, command.action) for command in SECTIONS[section].commands}
    for command in SECTIONS[section].commands:
        on_focus = command.keys == "enter" and section in ("home",)
        assert (
            command.action.startswith("app.")
            or on_focus
            or hasattr(screen, f"action_{command.action}")
        ), command


@pytest.mark.parametrize("section", SECTIONS)
def test_no_key_means_two_things(section: str) -> None:
    commands = (*SECTIONS[section].commands, *EVERYWHERE)
    keys = [key for command in commands for key in command.keys.split(",")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("section", SECTIONS)
def test_no_command_has_only_keys_that_terminals_eat(section: str) -> None:
    for command in SECTIONS[section].commands:
        assert set(command.keys.split(",")) - EATEN, command


def test_the_foot_leaves_out_letters_while_typing() -> None:
    keys = [key for _, key in footer("configure", typing=True)]
    assert keys[:2] == ["F1", "esc"]
    assert "F5" in keys
    assert "?" not in keys


def test_the_readme_table_has_every_key() -> None:
    table = markdown_table()
    for section in SECTIONS.values():
        for command in section.commands:
            assert command.help in table


def test_a_copied_line_starts_what_was_started() -> None:
    typed = ["python3", "-X", "dev", "run_tui.py", "--at", "x"]
    assert start_words("run_tui.py", typed) == typed[:4]
    assert start_words("/opt/x/run_tui.py", ["python", "-m", "run_tui"])[1:] == [
        "/opt/x/run_tui.py"
    ]
    assert start_words("/opt/bin/alexnet-tui", ["python", "/opt/bin/alexnet-tui"]) == [
        "alexnet-tui"
    ]
    assert start_words("pytest", ["pytest"]) == ["run_tui.py"]
