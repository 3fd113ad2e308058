"""Choose one of some lines; filled in by whoever opens it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog
from tui.widgets.menu import Menu


class Line(NamedTuple):
    """A line to choose: what it stands for, and its words."""

    value: str
    words: Content


class Pick(Dialog[str | None]):
    """Gives back the value of the line that was chosen, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,backspace", "dismiss", "go on")]

    def __init__(self, title: str, choices: Sequence[Line], none: str) -> None:
        super().__init__()
        self.heading = title
        self.choices = choices
        # Said where there is nothing to choose.
        self.none = none

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content.styled(self.heading, "bold"), markup=False)
            if self.choices:
                yield Menu(*(Option(line.words) for line in self.choices), markup=False)
            else:
                yield Static(Content(self.none), markup=False)
            foot = "enter: take   esc: go on without" if self.choices else "esc: go on"
            yield Static(foot, markup=False, classes="faint")

    def on_mount(self) -> None:
        if self.choices:
            self.query_one(Menu).highlighted = 0

    @on(Menu.OptionSelected)
    def _selected(self, event: Menu.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index].value)
