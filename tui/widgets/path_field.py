"""A field for a path that people paste or type; tab completes it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from textual.suggester import Suggester
from textual.widgets import Input

from core.text import safe_text
from tui.commands import Command, bindings

# Longer than any path or URL that works; a paste of a megabyte ends here.
MOST_CHARACTERS = 4096


def complete(typed: str, files: bool) -> str | None:
    """Return `typed` made longer by the first name on disk that starts so, None without one."""
    folder, _, start = typed.rpartition("/")
    if "/" not in typed or "\0" in typed:
        return None
    with suppress(OSError, RuntimeError), os.scandir(Path(folder + "/").expanduser()) as entries:
        names = [
            entry.name + ("/" if entry.is_dir() else "")
            for entry in entries
            if entry.name.startswith(start)
            and entry.name.isprintable()
            and (start or not entry.name.startswith("."))
            and (files or entry.is_dir())
        ]
        return f"{folder}/{min(names)}" if names else None
    return None


class PathSuggester(Suggester):
    """Suggests names from the disk, read in a thread."""

    def __init__(self, files: bool) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.files = files

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete, value, self.files)


class PathField(Input):
    """Shows a path made safe, and still gives back the true one as long as nobody edits it."""

    BINDINGS = bindings(
        Command("tab", "complete", "complete", "Take the completion, or leave the field.", False)
    )

    def __init__(self, *, placeholder: str, files: bool = False, id: str | None = None) -> None:
        super().__init__(
            placeholder=placeholder,
            suggester=PathSuggester(files),
            max_length=MOST_CHARACTERS,
            id=id,
            compact=True,
        )
        self._shown: tuple[str, str] = ("", "")

    def show(self, path: Path | str, shown: str | None = None) -> None:
        """Put `path` into the field, where it looks like `shown` until somebody edits it."""
        self._shown = (safe_text(path) if shown is None else shown, str(path))
        self.value = self._shown[0]
        self.cursor_position = len(self.value)

    @property
    def typed(self) -> str:
        """What the field says, or the true path that it shows."""
        shown, true = self._shown
        return true if self.value == shown else self.value.strip()

    def action_complete(self) -> None:
        """Take what is suggested; without a suggestion go to the next widget."""
        before = self.value
        self.cursor_position = len(before)
        self.action_cursor_right()
        if self.value == before:
            self.screen.focus_next()
