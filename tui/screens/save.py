"""Asks where a table is to be saved."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.screens.dialog import Dialog
from tui.widgets.path_field import PathField
from tui.words import plain


class AskPlace(Dialog[str | None]):
    """Gives back the path that was typed, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "go on")]

    def __init__(self, question: str, folder: Path, name: str) -> None:
        super().__init__()
        self.question = question
        self.suggested = folder / name

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self.question, "bold"), markup=False)
            yield PathField(placeholder="path of a new CSV file", files=True)
            yield Static("enter: save   esc: go on without", markup=False, classes="faint")

    def on_mount(self) -> None:
        field = self.query_one(PathField)
        field.show(self.suggested)
        field.focus()
        # Only now is it known how much of the path fits; its end says the most.
        self.call_after_refresh(field.action_end)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        typed = self.query_one(PathField).typed
        if typed:
            self.dismiss(typed)
