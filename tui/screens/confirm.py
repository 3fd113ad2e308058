"""Asks before something is lost; neither a held key nor keys typed ahead can say yes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.screens.dialog import Dialog
from tui.widgets.line import Line
from tui.words import lines, plain

# Keys that come sooner after the dialog or after the same key were not meant for it.
SETTLE_SECONDS = 0.3


class Confirm(Dialog[bool]):
    """Gives back True after `y` and then enter, False for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,backspace,n", "keep", "keep")]
    clock: ClassVar[Callable[[], float]] = time.monotonic

    def __init__(self, question: str, about: Content, does: str) -> None:
        super().__init__()
        self.question = question
        self.about_it = about
        self.does = does
        self.said_yes = False
        self._last = ("", 0.0)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self.question, "bold"), markup=False)
            yield Static(self.about_it, markup=False, id="about-it")
            yield Line(id="next")

    def on_mount(self) -> None:
        self._last = ("", type(self).clock())
        self._show_next()

    def _show_next(self) -> None:
        key, does = ("enter", self.does) if self.said_yes else ("y", "yes, then enter")
        keys = ((f" {key}  ", "bold $text-accent"), does)
        keep = ((" esc  ", "bold $text-accent"), "keep")
        self.query_one("#next", Line).show(lines(Content.assemble(*keys), Content.assemble(*keep)))

    def on_key(self, event: events.Key) -> None:
        """Take `y`, then enter; any other key takes the yes back, and only what keeps or quits does more."""
        now = type(self).clock()
        (key, at), self._last = self._last, (event.key, now)
        if now - at < SETTLE_SECONDS and key in ("", event.key):
            if not key:
                # The dialog has only just come: the time still counts from then.
                self._last = ("", at)
            if event.key in ("y", "enter"):
                event.stop()
        elif event.key == "enter":
            event.stop()
            if self.said_yes:
                self.dismiss(True)
        else:
            self.said_yes = event.key == "y"
            self._show_next()

    def action_keep(self) -> None:
        """Leave everything as it is."""
        self.dismiss(False)
