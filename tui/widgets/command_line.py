"""The one command line that does the same as the screen."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from tui.words import plain


class CommandLine(Static):
    """`run_tui.py` and what stands after it."""

    words: Sequence[str] = ()

    def show(self, words: Sequence[str]) -> None:
        """Show the command line made of `words`."""
        self.words = words
        self.update(Content.assemble(("$ ", "$foreground 60%"), plain(self.line)))

    @property
    def line(self) -> str:
        """What is shown, as a shell takes it."""
        return shlex.join(["run_tui.py", *self.words])

    @property
    def without_secrets(self) -> str:
        """The line for a log: a command of the user's own may hold anything."""
        words = ["run_tui.py", *self.words]
        for place, word in enumerate(words[:-1]):
            if word == "--on-finish":
                words[place + 1] = "..."
        return shlex.join(words)
