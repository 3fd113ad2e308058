"""The one command line that does the same as the screen, as a shell takes it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from core.text import safe_text
from tui.words import lines, tail

PROGRAM, INSTALLED = "run_tui.py", "alexnet-tui"
# As the style sheet has it.
MOST_ROWS = 3
PADDING = 2
FAINT = "$foreground 60%"


class CommandLine(Static):
    """What starts this program, and the words after it; of the former only as much as there is room for."""

    words: Sequence[str] = ()
    _painted = Content("")

    def show(self, words: Sequence[str]) -> None:
        """Show the command line made of `words`."""
        self.words = words
        self._paint()

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        width = max(self.app.size.width - PADDING, 1)
        line = painted(start_words(sys.argv[0], sys.orig_argv), self.words, width)
        if line != self._painted:
            self._painted = line
            self.update(line)

    @property
    def line(self) -> str:
        """What is shown, as a shell takes it where this program was started."""
        return shlex.join([*start_words(sys.argv[0], sys.orig_argv), *self.words])

    @property
    def without_secrets(self) -> str:
        """The line for a log: a command of the user's own may hold anything."""
        words = [PROGRAM, *self.words]
        for place, word in enumerate(words[:-1]):
            if word == "--on-finish":
                words[place + 1] = "..."
        return shlex.join(words)


def painted(start: Sequence[str], words: Sequence[str], width: int) -> Content:
    """Return the words that `start` this program and those after them, in rows of `width` cells.

    The former are cut at their start so that they take no row from others; what is too long even so is
    cut at its end.
    """
    named, verb = safe_text(shlex.join(start)), safe_text(shlex.join(words))
    name = Path(start[-1]).name

    def rows(begin: str) -> list[Content]:
        said = Content.assemble(("$ ", FAINT), (begin, FAINT), " ", (verb, "$foreground"))
        return said.wrap(width)

    bare = name if name == named else f"…{name}"
    shown = rows(bare)
    room = min(len(shown), MOST_ROWS) * width - cell_len(f"$  {verb}")
    if room > cell_len(bare):
        fuller = rows(tail(named, room))
        shown = fuller if len(fuller) == len(shown) else shown
    if len(shown) > MOST_ROWS:
        last = shown[MOST_ROWS - 1].truncate(max(width - 1, 0))
        shown = [*shown[: MOST_ROWS - 1], Content.assemble(last, "…")]
    return lines(*shown)


def start_words(program: str, typed: Sequence[str]) -> list[str]:
    """Return the words that start `program`, which was started by those that were `typed`.

    A script in the current folder is no command of a shell: its interpreter stands before it.
    """
    name = Path(program).name
    if name != PROGRAM:
        return [name if name == INSTALLED else PROGRAM]
    if program in typed:
        return [*typed[: typed.index(program) + 1]]
    return [sys.executable, program]
