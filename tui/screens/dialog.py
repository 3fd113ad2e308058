"""What every dialog has: help, a way out of the program, and a frame for short windows and plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.screen import ModalScreen, ScreenResultType
from textual.strip import Strip

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

    # What lies below, until something of it changes.
    _below: list[Strip] | None = None
    # Whether it has been laid out with all that is on it.
    _complete = False

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of the screen below.

        Textual draws them by Rich, piece by piece, each time that anything of the dialog is painted, which
        took longer than the dialog itself.
        """
        if self._below is None:
            self._below = self._look_below()
        lines = self._below[crop.y : crop.bottom]
        if crop.width == self.size.width:
            return lines
        return [line.crop(crop.x, crop.right) for line in lines]

    def _look_below(self) -> list[Strip]:
        """Return what the screen below shows, as large as this one: it may be laid out for the size before."""
        screens, (width, height) = self.app.screen_stack, self.size
        strips = screens[screens.index(self) - 1]._compositor.render_strips()
        # A press of the mouse beside the dialog means nothing to what lies there.
        found = [strip.discard_meta().adjust_cell_length(width) for strip in strips[:height]]
        return found + [Strip.blank(width, self.rich_style)] * (height - len(found))

    def render_line(self, y: int) -> Strip:
        return self.render_lines(Region(0, y, self.size.width, 1))[0]

    def refresh(self, *regions: Region, **how: Any) -> Self:
        """Have it painted anew, and what lies below looked at again."""
        self._below = None
        return super().refresh(*regions, **how)

    # Textual lays out and paints a new screen whole three times: when it is put on the others, when it is
    # told of its size, and when its widgets are there. Once is enough.

    def _screen_resized(self, size: Size) -> None:
        if size != self._compositor.size:
            super()._screen_resized(size)

    def _on_timer_update(self) -> None:
        self._complete = True
        super()._on_timer_update()

    def _compositor_refresh(self) -> None:
        if self._complete:
            super()._compositor_refresh()

    def on_mount(self) -> None:
        self.set_class(cast("AlexNetApp", self.app).ascii_only, "-ascii")

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < USUAL_HEIGHT, "-short")
