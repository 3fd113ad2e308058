"""All runs in a table: watch one, classify with its model, or train on its data again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from core.errors import UserError
from core.runs.folder import RunFolder, RunSummary
from core.text import count, safe_text
from tui import messages
from tui.commands import LIST, bindings, section_bindings
from tui.report import STATES
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.problem import Problem
from tui.words import percent

COLUMNS = ("data", "state", "epoch", "validation", "test", "started")


class RunTable(DataTable[Text]):
    """A table of text that is never read as markup."""

    BINDINGS = bindings(*LIST)


class Runs(Page):
    """The list is read when the screen is opened and on a key."""

    SECTION = "runs"
    BINDINGS = section_bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] = []

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield RunTable(cursor_type="row", id="table")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(RunTable).add_columns(*(Text(column) for column in COLUMNS))
        self._show_command()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.action_refresh()

    @work(exclusive=True)
    async def action_refresh(self) -> None:
        """Read the list anew, the cursor staying on its line."""
        try:
            self.runs = await self.engine.runs()
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        table = self.query_one(RunTable)
        row = table.cursor_row
        table.clear()
        for run in self.runs:
            table.add_row(*run_cells(run))
        table.move_cursor(row=row)
        none = "No runs yet. Go back and train a model."
        words = f"{count(len(self.runs), 'run')}, the living first" if self.runs else none
        self.query_one("#title", Line).show(Content(words))

    @on(RunTable.RowHighlighted)
    def _show_command(self) -> None:
        run = self._marked()
        self.query_one(CommandLine).show(["watch", run.name] if run else ["runs"])

    def _marked(self) -> RunSummary | None:
        row = self.query_one(RunTable).cursor_row
        return self.runs[row] if 0 <= row < len(self.runs) else None

    @on(RunTable.RowSelected)
    def action_watch(self) -> None:
        """Open the marked run."""
        run = self._marked()
        if run is not None:
            self.post_message(messages.OpenRun(RunFolder(Path(run.run))))

    def action_classify(self) -> None:
        """Classify with the marked run's model."""
        run = self._marked()
        if run is None:
            return
        if run.model is None:
            title = f"The run {run.name} has left no model."
            self.query_one(Problem).show(UserError(title, "Choose a run that has finished."))
        else:
            self.post_message(messages.OpenClassify(Path(run.model)))

    def action_train(self) -> None:
        """Choose settings for the marked run's data."""
        run = self._marked()
        if run is not None:
            self.post_message(messages.OpenConfigure(Path(run.data)))


def run_cells(run: RunSummary) -> tuple[Text, ...]:
    """Return the cells of a run, in the order of the columns."""
    validation = "" if run.best_validation is None else percent(run.best_validation)
    state = ("● " if run.alive else "") + STATES[run.state]
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    test = "" if run.test is None else percent(run.test.accuracy)
    return (
        Text(safe_text(Path(run.data).name, 26)),
        Text(state, style="bold" if run.alive else ""),
        Text(f"{run.epoch}/{run.epochs}", justify="right"),
        Text(validation, justify="right"),
        Text(test, justify="right"),
        Text(started),
    )
