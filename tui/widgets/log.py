"""The log of a run: new lines at the foot, older ones a scroll away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.runs.snapshot import LogLine, Snapshot
from core.text import count
from tui.command import bindings
from tui.commands import LOG
from tui.report import log_line
from tui.words import lines

if TYPE_CHECKING:
    from tui.app import AlexNetApp

Shown = Literal["all", "warnings", "errors"]
IN_TURN: tuple[Shown, ...] = ("all", "warnings", "errors")


class EventLog(VerticalScroll):
    """Follows its end, unless somebody has scrolled up to read."""

    about = "The log of the run. Up and down, page up and page down scroll it; at its end it follows the run."
    BINDINGS = bindings(*LOG)

    def __init__(self, id: str | None = None) -> None:
        self.text = Static("", markup=False)
        super().__init__(self.text, id=id)
        self.level: Shown = "all"
        self._snapshot = Snapshot()
        self._content = Content("")
        self._shown: tuple[Shown, int, tuple[LogLine, ...]] | None = None

    def show(self, now: Snapshot) -> None:
        """Show the lines of the chosen level, repainting only if they differ."""
        self._snapshot = now
        log = _chosen(now, self.level)
        width = self.text.size.width or self.app.size.width
        if (self.level, width, log) == self._shown:
            return
        self._shown = (self.level, width, log)
        key = cast("AlexNetApp", self.app).key("dashboard.log_level")
        foot = [_foot(self.level, len(log), key)] if self.level != "all" else []
        if self.is_vertical_scroll_end:
            # Also after a key that went down from the end, which lets go of it.
            self.anchor()
        self._content = lines(*(log_line(line, width) for line in log), *foot)
        self.text.update(self._content)

    def on_mount(self) -> None:
        self.anchor()

    def on_resize(self) -> None:
        self.show(self._snapshot)

    def next_level(self) -> None:
        """Go on from all lines to warnings and errors, to errors only, and round again."""
        self.anchor()
        self.level = IN_TURN[(IN_TURN.index(self.level) + 1) % len(IN_TURN)]
        self.show(self._snapshot)

    @property
    def content(self) -> Content:
        """What the log shows now."""
        return self._content


def _chosen(now: Snapshot, level: Shown) -> tuple[LogLine, ...]:
    if level == "all":
        return now.log
    return tuple(line for line in now.grave if level == "warnings" or line.level == "error")


def _foot(level: Shown, number: int, key: str) -> Content:
    """Return the last line of a log that is not whole: what is shown, and the key that changes it."""
    if level == "errors":
        found = f"{count(number, 'error')} only" if number else "no errors"
        return Content.styled(f" {found}   {key}: all", "$foreground 60%")
    found = f"{count(number, 'warning or error', 'warnings and errors')} only"
    found = found if number else "no warnings and no errors"
    return Content.styled(f" {found}   {key}: errors only", "$foreground 60%")
