"""All that the doctor found in a folder: each finding with its files, each file that is left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.content import Content
from textual.widget import Widget

from core.engine import Report
from core.text import safe_text
from tui.commands import section_bindings
from tui.findings import all_rows, summary
from tui.screens.page import USUAL_WIDTH, Page
from tui.widgets.command_line import CommandLine
from tui.widgets.findings import FindingRows
from tui.widgets.line import Line

NAME_WIDTH = 24


class Findings(Page):
    """A long text to scroll through; nothing is read for it."""

    SECTION = "findings"
    PASSING = True
    BINDINGS = section_bindings("findings")

    def __init__(self, folder: Path, report: Report) -> None:
        super().__init__()
        self.folder = folder
        self.report = report

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield FindingRows(all_rows(self.report))
        yield CommandLine(markup=False)

    @property
    def rows(self) -> FindingRows:
        return self.query_one(FindingRows)

    def on_mount(self) -> None:
        self.query_one(CommandLine).show(["doctor", str(self.folder)])
        for what in ("scroll_y", "virtual_size"):
            self.watch(self.rows, what, self._show_place)
        self.rows.focus()

    def _show_place(self) -> None:
        """Say what this is and how far down one has come."""
        name = safe_text(self.folder.name, NAME_WIDTH)
        words = Content.styled(f"{name}: {summary(self.report)}", "bold")
        if self.app.size.width >= USUAL_WIDTH:
            here, total = self.rows.last_line, self.rows.virtual_size.height
            words = Content.assemble(words, (f"   line {here:,} of {total:,}", "$foreground 60%"))
        self.query_one("#title", Line).show(words)

    def action_down(self) -> None:
        """Go one line down."""
        self.rows.scroll_down(animate=False)

    def action_up(self) -> None:
        """Go one line up."""
        self.rows.scroll_up(animate=False)

    def action_page_down(self) -> None:
        """Go one page down."""
        self.rows.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Go one page up."""
        self.rows.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Go to the first line."""
        self.rows.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the last line."""
        self.rows.scroll_end(animate=False)

    def action_next(self) -> None:
        """Go to the next finding."""
        self.rows.go_to_heading(1)

    def action_previous(self) -> None:
        """Go to the finding before."""
        self.rows.go_to_heading(-1)
