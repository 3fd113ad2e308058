"""What every dialog has: help, a way out of the program, and a frame for short windows and plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, ScreenResultType

from tui.command import Command, Section, bindings
from tui.commands import HELP, QUIT
from tui.screens.page import USUAL_HEIGHT

if TYPE_CHECKING:
    from tui.app import AlexNetApp


class Dialog(ModalScreen[ScreenResultType]):
    """Keys of the app end at a dialog: those for help and out of the program are its own as well."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(HELP, QUIT),
        ("ctrl+c", "app.help_quit", ""),
    ]

    @property
    def explained(self) -> Section:
        """What help says of a dialog: how it is closed; it names the keys of its answers itself."""
        own = Binding.make_bindings(type(self).__dict__.get("BINDINGS", ()))
        keys = ",".join(binding.key for binding in own)
        close = Command(keys, "dismiss", "close", "Close it without an answer.")
        about = "It names the keys that answer it. Those of the screen below wait until then."
        return Section("Dialog", about, (close,) if keys else ())

    def on_mount(self) -> None:
        self.set_class(cast("AlexNetApp", self.app).ascii_only, "-ascii")

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < USUAL_HEIGHT, "-short")
