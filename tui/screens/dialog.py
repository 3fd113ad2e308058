"""What every dialog has: a way out of the program, and a frame for short windows and plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType
from textual.screen import ModalScreen, ScreenResultType

from tui.command import bindings
from tui.commands import QUIT
from tui.screens.page import USUAL_HEIGHT

if TYPE_CHECKING:
    from tui.app import AlexNetApp


class Dialog(ModalScreen[ScreenResultType]):
    """Keys of the app end at a dialog: the one that leaves the program is its own as well."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(QUIT), ("ctrl+c", "app.help_quit", "")]

    def on_mount(self) -> None:
        self.set_class(cast("AlexNetApp", self.app).ascii_only, "-ascii")

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < USUAL_HEIGHT, "-short")
