"""The README says what the program does."""

from __future__ import annotations

from pathlib import Path

from core.cli import _parser
from tui.commands import markdown_table

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_keys_are_those_of_the_registry() -> None:
    assert README.endswith("## Keys\n\n" + markdown_table())


def test_every_verb_is_named() -> None:
    verbs = next(a for a in _parser()._actions if a.metavar == "VERB").choices
    assert verbs and all(
        f"`{verb}`" in README or f"run_tui.py {verb}" in README or verb in ("go", "stop")
        for verb in verbs
    )
