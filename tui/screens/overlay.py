"""The validation curves of several runs over one another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from textual import work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from core.errors import UserError
from core.runs.events import EpochEnded
from core.runs.folder import RunFolder, RunSummary
from core.text import percent, safe_text
from tui.commands import section_bindings
from tui.runs import settings_words, state_words
from tui.screens.page import WIDE, Page
from tui.widgets.chart import Chart, Series
from tui.widgets.line import Line
from tui.widgets.problem import Problem
from tui.words import column, lines, plain

LIVE_SECONDS = 2.0
VIEWS = ("-both", "-accuracy", "-loss")
NAME_CELLS = 36
# Above so many seconds an axis says minutes.
MINUTES_FROM = 300.0


class Overlay(Page):
    """Reads of each log only its epochs, and goes on reading those of living runs."""

    SECTION = "overlay"
    BINDINGS = section_bindings("overlay")

    def __init__(self, runs: Sequence[RunSummary]) -> None:
        super().__init__()
        self.runs = list(runs)
        self._readers = [RunFolder(Path(run.run)).epoch_reader() for run in runs]
        self.epochs: list[list[EpochEnded]] = [[] for _ in runs]
        self.over_time = False
        self._reading = False

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        accuracy = Chart("validation accuracy", percent=True, id="accuracy")
        yield Horizontal(accuracy, Chart("validation loss", id="loss"), id="charts")
        yield Line(id="legend")
        yield Problem(markup=False)

    def on_mount(self) -> None:
        self.add_class(VIEWS[0] if self.app.size.width >= WIDE else VIEWS[1])
        self.read()
        self.set_interval(LIVE_SECONDS, self._poll)

    def _poll(self) -> None:
        lives = any(run.alive for run in self.runs)
        if self.is_current and lives and not self._reading:
            self.read()

    # Never cut off by the next one: a reader is no use to two at once.
    @work
    async def read(self) -> None:
        """Take in the epochs that have ended since, and how the runs stand."""
        self._reading = True
        try:
            for place, reader in enumerate(self._readers):
                self.epochs[place] = await self.engine.epochs(reader)
            if any(run.alive for run in self.runs):
                now = {run.run: run for run in await self.engine.runs()}
                self.runs = [now.get(run.run, run) for run in self.runs]
        except UserError as error:
            self.query_one(Problem).show(error)
        finally:
            self._reading = False
        self._show()

    def on_resize(self) -> None:
        super().on_resize()
        self._show()

    def _show(self) -> None:
        labels = short_names([run.name for run in self.runs])
        axis, unit = self._axis()
        for chart, field in (("accuracy", "validation_accuracy"), ("loss", "validation_loss")):
            series = [
                Series(label, xs, [getattr(epoch, field) for epoch in epochs])
                for label, xs, epochs in zip(labels, axis, self.epochs, strict=True)
            ]
            self.query_one(f"#{chart}", Chart).show(series, unit)
        over = f"over the {unit} trained" if self.over_time else "over epochs"
        self.query_one("#title", Line).show(Content(f"Validation {over}"))
        self.query_one("#legend", Line).show(self._legend())

    def _axis(self) -> tuple[list[list[float]], str]:
        """Return the xs of each run, and what they are."""
        if not self.over_time:
            return [[float(epoch.epoch) for epoch in epochs] for epochs in self.epochs], "epoch"
        axis = [list(accumulate(epoch.seconds for epoch in epochs)) for epochs in self.epochs]
        if max((xs[-1] for xs in axis if xs), default=0.0) < MINUTES_FROM:
            return axis, "seconds"
        return [[x / 60 for x in xs] for xs in axis], "minutes"

    def _legend(self) -> Content:
        """Return a line for each run: its number, name, best epoch, and what was set."""
        return lines(
            *(
                self._legend_line(number, run, epochs)
                for number, (run, epochs) in enumerate(zip(self.runs, self.epochs, strict=True), 1)
            )
        )

    def _legend_line(self, number: int, run: RunSummary, epochs: Sequence[EpochEnded]) -> Content:
        best = max(epochs, key=lambda epoch: epoch.validation_accuracy, default=None)
        score = f"{percent(best.validation_accuracy)} at {best.epoch}" if best else state_words(run)
        width = max(self.size.width - 2, 0)
        name = column(run.name, min(NAME_CELLS, max(width - 24, 8)))
        head = f" {number} {name}  {score:<16}  "
        settings = plain(settings_words(run), "$foreground 60%", max(width - len(head), 0))
        return Content.assemble((head, "bold"), settings)

    def action_charts(self) -> None:
        """Go on to the next view of the charts."""
        shown = next(view for view in VIEWS if self.has_class(view))
        self.remove_class(shown)
        self.add_class(VIEWS[(VIEWS.index(shown) + 1) % len(VIEWS)])

    def action_axis(self) -> None:
        """Draw over epochs, or over the time trained."""
        self.over_time = not self.over_time
        self._show()

    def action_log_scale(self) -> None:
        """Draw the loss on a logarithmic axis, or not."""
        chart = self.query_one("#loss", Chart)
        chart.log_scale = not chart.log_scale

    def action_compare(self) -> None:
        """Compare these runs."""
        from tui.screens.compare import Compare

        if len(self.runs) < 2:
            error = UserError("It takes two runs to compare.", "Go back and mark another.")
            self.query_one(Problem).show(error)
        else:
            self.app.push_screen(Compare(self.runs))


def short_names(names: Sequence[str]) -> list[str]:
    """Return the names, numbered from 1, without what all of them begin with."""
    # A name is cut between two of its parts.
    common = os.path.commonprefix([*names, ""] if len(names) < 2 else list(names))  # noqa: RUF071
    start = common.rfind("-") + 1
    return [f"{number} {safe_text(name[start:])}" for number, name in enumerate(names, 1)]
