"""A question with a few answers; the harmless one is marked first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog
from tui.widgets.menu import Menu
from tui.words import plain


class Reply(NamedTuple):
    """An answer that can be given: its key, its words, what it stands for."""

    key: str
    words: str
    value: str


class Ask(Dialog[str | None]):
    """Gives back the value of the reply that was chosen, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,backspace", "dismiss", "go on")]

    def __init__(self, question: str, replies: Sequence[Reply]) -> None:
        super().__init__()
        self.question = question
        self.replies = replies

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self.question, "bold"), markup=False)
            yield Menu(*(Option(_words(reply), id=reply.value) for reply in self.replies))

    def on_mount(self) -> None:
        self.query_one(Menu).highlighted = 0

    def on_key(self, event: events.Key) -> None:
        for reply in self.replies:
            if event.key == reply.key:
                event.stop()
                self.dismiss(reply.value)

    @on(Menu.OptionSelected)
    def _selected(self, event: Menu.OptionSelected) -> None:
        self.dismiss(event.option.id)


def _words(reply: Reply) -> Content:
    return Content.assemble((f" {reply.key}  ", "bold $text-accent"), plain(reply.words))
