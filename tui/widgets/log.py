"""The log of a run: new lines at the foot, older ones a scroll away."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.runs.snapshot import LogLine
from tui.report import log_line
from tui.words import lines


class EventLog(VerticalScroll):
    """Follows its end, unless somebody has scrolled up to read."""

    about = "The log of the run. The arrow keys scroll it."

    def __init__(self, id: str | None = None) -> None:
        self.text = Static("", markup=False)
        super().__init__(self.text, id=id)
        self._shown: tuple[LogLine, ...] = ()

    def show(self, log: Sequence[LogLine]) -> None:
        """Show the lines of `log`, repainting only if there are new ones."""
        log = tuple(log)
        if log == self._shown:
            return
        self._shown = log
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self.text.update(lines(*(log_line(line) for line in log)))
        if at_end:
            self.scroll_end(animate=False)

    @property
    def content(self) -> Content | str:
        """What the log shows now."""
        return lines(*(log_line(line) for line in self._shown))
