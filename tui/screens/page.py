"""What every screen has: its keys, a foot that names them, and a word when the window is too small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.at_once import paint_waiting
from tui.widgets.keys import KeyLine
from tui.widgets.line import Line

if TYPE_CHECKING:
    from core.engine import Engine
    from tui.app import AlexNetApp

LEAST_WIDTH, LEAST_HEIGHT = 50, 15
USUAL_WIDTH, USUAL_HEIGHT = 80, 24
WIDE, TALL = 120, 40
HUGE_WIDTH, HUGE_HEIGHT = 200, 60


class TooSmall(Static):
    """Covers the screen while the window is too small to use it."""


class Page(Screen[None]):
    """A screen whose widgets come from `body`."""

    SECTION: ClassVar[str]
    # Whether this screen only leads to another one, which takes its place.
    PASSING: ClassVar[bool] = False

    @property
    def engine(self) -> Engine:
        return self.alexnet.engine

    @property
    def alexnet(self) -> AlexNetApp:
        """The app, by its own type."""
        return cast("AlexNetApp", self.app)

    def key(self, command: str) -> str:
        """Return the key that the command of this id has now, as people call it."""
        return self.alexnet.key(command)

    def body(self) -> Iterable[Widget]:
        """Yield the widgets of this screen."""
        return ()

    def compose(self) -> ComposeResult:
        yield from self.body()
        yield KeyLine(self.SECTION)
        yield TooSmall(markup=False)
        self.set_class(self.alexnet.ascii_only, "-ascii")

    def on_resize(self) -> None:
        self.fit()

    def _on_timer_update(self) -> None:
        paint_waiting(self, Line)
        super()._on_timer_update()

    def on_screen_resume(self) -> None:
        self.fit()
        # Other keys may have been given to commands above it.
        self.keys_changed()

    def fit(self) -> None:
        """Set the classes by which the style sheet lays out narrow and short windows."""
        width, height = self.app.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        self.set_class(small, "-too-small")
        self.set_class(width < USUAL_WIDTH, "-narrow")
        self.set_class(height < USUAL_HEIGHT, "-short")
        self.set_class(width >= WIDE and height >= TALL, "-large")
        self.set_class(width >= HUGE_WIDTH and height >= HUGE_HEIGHT, "-huge")
        if small:
            need = f"{LEAST_WIDTH}×{LEAST_HEIGHT}"
            self.query_one(TooSmall).update(
                f"Needs {need}, has {width}×{height}. Enlarge the window."
            )

    def offers(self, action: str) -> bool:
        """Tell whether the foot names the key of `action`: one that would do nothing now only takes room."""
        return bool(self.check_action(action, ()))

    def keys_changed(self) -> None:
        """Name the keys anew where `offers` has come to another answer."""
        self.query_one(KeyLine).touch()

    def action_back(self) -> None:
        """Go back to the screen before."""
        if self.is_current:
            self.dismiss()
