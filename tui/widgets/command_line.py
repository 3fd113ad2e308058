"""The one command line that does the same as the screen."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from tui.words import plain


class CommandLine(Static):
    """`run_tui.py` and what stands after it."""

    def show(self, words: Sequence[str]) -> None:
        """Show the command line made of `words`."""
        line = shlex.join(["run_tui.py", *words])
        self.update(Content.assemble(("$ ", "$foreground 60%"), plain(line)))
