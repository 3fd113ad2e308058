"""The one command line that does the same as the screen."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from textual.content import Content
from textual.widgets import Static

from tui.words import plain

PROGRAM, INSTALLED = "run_tui.py", "alexnet-tui"


class CommandLine(Static):
    """`run_tui.py` and what stands after it."""

    words: Sequence[str] = ()

    def show(self, words: Sequence[str]) -> None:
        """Show the command line made of `words`."""
        self.words = words
        self.update(
            Content.assemble(("$ ", "$foreground 60%"), plain(shlex.join([PROGRAM, *words])))
        )

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
