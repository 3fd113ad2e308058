"""Runs side by side: settings that differ, results, and what chance may have done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from core.config import meta
from core.engine import Comparison
from core.errors import UserError
from core.runs.folder import RunFolder, RunSummary
from core.text import duration, percent
from tui.commands import section_bindings
from tui.report import STATES
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.problem import Problem
from tui.words import column, home_path, lines, plain, tail

NAME_CELLS = 15
LEAST_CELLS, MOST_CELLS = 16, 34


class Compare(Page):
    """The first of the runs is what the others are held against."""

    SECTION = "compare"
    BINDINGS = section_bindings("compare")

    def __init__(self, runs: Sequence[RunSummary]) -> None:
        super().__init__()
        self.runs = list(runs)
        self.comparison: Comparison | None = None
        # The first of the columns shown beside that of run 1.
        self.column = 1
        self._columns = len(self.runs)

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Problem(markup=False)
        yield VerticalScroll(Line(id="table"), Line(id="verdicts"), id="middle", can_focus=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one("#title", Line).show(Content(f"{len(self.runs)} runs side by side"))
        self.query_one(CommandLine).show(["compare", *(run.name for run in self.runs[:2])])
        self.compare()

    @work(exclusive=True)
    async def compare(self) -> None:
        """Have the runs compared: their answers are read, which may take a moment."""
        self.query_one("#verdicts", Line).show(Content("comparing …"))
        try:
            folders = [RunFolder(Path(run.run)) for run in self.runs]
            self.comparison = await self.engine.compare(folders)
        except UserError as error:
            self.query_one(Problem).show(error)
            self.query_one("#verdicts", Line).show(Content(""))
        self._show()

    def on_resize(self) -> None:
        super().on_resize()
        self._show()

    def _show(self) -> None:
        if self.comparison is None:
            return
        room = max(self.size.width - 3 - NAME_CELLS, LEAST_CELLS)
        fit = max(min(room // (LEAST_CELLS + 2), len(self.runs)), 2)
        self._columns = fit
        self.column = min(self.column, max(len(self.runs) - fit + 1, 1))
        columns = [0, *range(self.column, self.column + fit - 1)]
        cells = min(room // fit - 2, MOST_CELLS)
        self.query_one("#table", Line).show(table(self.comparison, columns, cells))
        self.query_one("#verdicts", Line).show(verdicts(self.comparison))
        self.keys_changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell whether there are columns that do not fit."""
        return action not in ("later", "earlier") or self._columns < len(self.runs)

    def action_later(self) -> None:
        """Show the columns further right."""
        self.column += 1
        self._show()

    def action_earlier(self) -> None:
        """Show the columns further left."""
        self.column = max(self.column - 1, 1)
        self._show()

    def action_down(self) -> None:
        self.query_one("#middle").scroll_down(animate=False)

    def action_up(self) -> None:
        self.query_one("#middle").scroll_up(animate=False)

    def action_overlay(self) -> None:
        """Lay the curves of these runs over one another."""
        from tui.screens.overlay import Overlay

        self.app.push_screen(Overlay(self.runs))


def table(comparison: Comparison, columns: Sequence[int], cells: int) -> Content:
    """Return the settings that differ and the results of the runs numbered `columns`."""
    runs = [comparison.runs[index] for index in columns]
    heads = [f"{index + 1} {tail(comparison.runs[index].name, cells - 2)}" for index in columns]
    rows = [_row("", heads, cells, "bold")]
    for difference in comparison.settings:
        title = "Data" if difference.setting == "data" else str(meta(difference.setting).title)
        values = [difference.values[index] for index in columns]
        if difference.setting in ("data", "out", "weights"):
            values = [tail(home_path(value), cells) for value in values]
        rows.append(_row(title, values, cells))
    if not comparison.settings:
        rows.append(plain("The settings are the same.", "$foreground 60%"))
    rows += [Content(""), *(_row(title, words, cells) for title, words in _results(runs))]
    return lines(*rows, Content(""))


def _results(runs: Sequence[RunSummary]) -> Iterable[tuple[str, list[str]]]:
    """Yield the names of the results, each with its words for every run."""
    tests = [run.test for run in runs]
    best = [run.best_validation for run in runs]
    yield "State", [STATES[run.state] for run in runs]
    yield "Epoch", [f"{run.epoch} of {run.epochs}" for run in runs]
    yield "Time", ["" if run.seconds is None else duration(run.seconds) for run in runs]
    yield "Validation", ["" if value is None else percent(value) for value in best]
    yield "Test", [percent(test.accuracy) if test else "not yet" for test in tests]
    intervals = [f"{test.low * 100:.1f} to {percent(test.high)}" if test else "" for test in tests]
    yield "  95 % interval", intervals
    yield "  pictures", [f"{test.n:,}" if test else "" for test in tests]


def _row(title: str, words: Sequence[str], cells: int, style: str = "") -> Content:
    values = "".join("  " + column(word, cells) for word in words)
    return Content.assemble((column(title, NAME_CELLS), "$foreground 60%"), (values, style))


def verdicts(comparison: Comparison) -> Content:
    """Return a paragraph for each run that is held against the first."""
    parts = [Content.styled("Is the difference more than chance?", "bold")]
    for versus in comparison.versus:
        head = (f"1 and {versus.second + 1}: ", "bold")
        parts += [Content.assemble(head, plain(versus.verdict))]
    if any(versus.paired for versus in comparison.versus):
        note = "By McNemar's test on the pictures that only one of two has right"
        several = "; corrected for several comparisons (Holm)." if len(parts) > 2 else "."
        parts.append(Content.styled(note + several, "$foreground 60%"))
    return lines(*parts)
