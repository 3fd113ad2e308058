"""A field for a path that people paste or type; tab completes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from textual import on
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from core.text import safe_text
from tui.command import Command, bindings
from tui.paths import Completions, completions

# Longer than any path or URL that works; a paste of a megabyte ends here.
MOST_CHARACTERS = 4096


class PathSuggester(Suggester):
    """Suggests the first name on disk that completes a path, read in a thread."""

    def __init__(self, field: PathField) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._field = field

    async def get_suggestion(self, value: str) -> str | None:
        found = await asyncio.to_thread(completions, value, self._field.files)
        self._field.found(found)
        return found.first


class PathField(Input):
    """Shows a path made safe, and still gives back the true one as long as nobody edits it."""

    BINDINGS = bindings(
        Command("tab", "complete", "complete", "Complete the path, or leave the field.", False),
        Command("down", "app.focus_next", "leave", "Leave the field.", False),
    )

    @dataclass
    class Completing(Message):
        """Other names would complete what is typed now; none do without the focus."""

        field: PathField
        completions: Completions

        @property
        def control(self) -> PathField:
            return self.field

    def __init__(self, *, placeholder: str, files: bool = False, id: str | None = None) -> None:
        super().__init__(
            placeholder=placeholder,
            suggester=PathSuggester(self),
            max_length=MOST_CHARACTERS,
            id=id,
            compact=True,
        )
        self.files = files
        self._shown: tuple[str, str] = ("", "")
        self._completions = Completions()

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

    def found(self, completions: Completions) -> None:
        """Take what was found on disk, unless somebody has typed on since."""
        if completions.typed == self.value:
            self._tell(completions)

    @on(Input.Changed)
    def _changed(self) -> None:
        if not self.value:
            # Nobody suggests anything for an empty field.
            self._tell(Completions())

    def on_focus(self) -> None:
        self.post_message(self.Completing(self, self._completions))

    def on_blur(self) -> None:
        self.post_message(self.Completing(self, Completions()))

    def _tell(self, completions: Completions) -> None:
        self._completions = completions
        self.post_message(self.Completing(self, completions if self.has_focus else Completions()))

    async def action_complete(self) -> None:
        """Take what all completions have in common; without any go to the next widget."""
        known = self._completions
        if known.typed != self.value:
            known = await asyncio.to_thread(completions, self.value, self.files)
        if not known.number:
            self.screen.focus_next()
        elif known.longer is not None:
            self.value = known.longer
            self.cursor_position = len(self.value)


class CompletionLine(Static):
    """One line below a field: the names that would complete the path, hidden without a choice."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.display = False

    def show(self, found: Completions) -> None:
        """Show the names of `found` where there are at least two."""
        self.display = found.number > 1
        if self.display:
            names = "  ".join(safe_text(name, 40) for name in found.names)
            self.update(Content.styled(f"{found.number:,}: {names}", "$foreground 60%"))
