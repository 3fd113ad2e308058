"""The log of a run: new lines at the foot, older ones a scroll away."""

from __future__ import annotations

from typing import Literal

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.runs.snapshot import LogLine, Snapshot
from core.text import count
from tui.command import bindings
from tui.commands import LOG
from tui.report import log_line
from tui.words import lines

Shown = Literal["all", "warnings", "errors"]
IN_TURN: tuple[Shown, ...] = ("all", "warnings", "errors")


class EventLog(VerticalScroll):
    """Follows its end, unless somebody has scrolled up to read."""

    about = "The log of the run. The arrow keys, page up and page down scroll it; w shows warnings only."
    BINDINGS = bindings(*LOG)

    def __init__(self, id: str | None = None) -> None:
        self.text = Static("", markup=False)
        super().__init__(self.text, id=id)
        self.level: Shown = "all"
        self._follows = True
        self._snapshot = Snapshot()
        self._content = Content("")
        self._shown: tuple[Shown, tuple[LogLine, ...]] | None = None

    def show(self, now: Snapshot) -> None:
        """Show the lines of the chosen level, repainting only if there are new ones."""
        self._snapshot = now
        log = _chosen(now, self.level)
        if (self.level, log) == self._shown:
            return
        self._shown = (self.level, log)
        foot = [_foot(self.level, len(log))] if self.level != "all" else []
        self._content = lines(*(log_line(line) for line in log), *foot)
        self.text.update(self._content)
        self._follow()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        self._follow()

    def _follow(self) -> None:
        if self._follows:
            self.scroll_end(animate=False)

    def next_level(self) -> None:
        """Go on from all lines to warnings and errors, to errors only, and round again."""
        self._follows = True
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


def _foot(level: Shown, number: int) -> Content:
    """Return the last line of a log that is not whole: what is shown, and the key that changes it."""
    if level == "errors":
        return Content.styled(f" {count(number, 'error')} only   w: all", "$foreground 60%")
    what = count(number, "warning and error", "warnings and errors") if number else "no warnings"
    return Content.styled(f" {what} only   w: errors only", "$foreground 60%")
