"""Watch a run learn: live, or as it went; the run itself never notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from core.errors import UserError
from core.runs.folder import Order, RunFolder
from core.runs.resuming import RESUMABLE
from core.runs.snapshot import LIVING, RunView, Snapshot, State
from tui import messages, report
from tui.commands import section_bindings
from tui.curves import accuracy_curves, loss_curves
from tui.screens.ask import Ask, Reply
from tui.screens.page import Page
from tui.widgets.chart import Chart
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.log import EventLog
from tui.widgets.problem import Problem

STOP_REPLIES = (
    Reply("g", "go on training", ""),
    Reply("e", "stop after this epoch, keep the best model", "stop"),
    Reply("n", "stop now, keep the best model", "stop-now"),
)
# The charts in turn: both with everything else, both alone, one alone.
VIEWS = ("-all", "-charts", "-loss", "-accuracy")


class Dashboard(Page):
    """Folds a run's events and shows what they add up to, at most twice a second."""

    SECTION = "dashboard"
    BINDINGS = section_bindings("dashboard")
    PAINT_SECONDS: ClassVar[float] = 0.5
    CHART_SECONDS: ClassVar[float] = 1.0

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        self.view = RunView()
        self.alive = True
        # The order that the run has not taken up yet, and the state in which it was given.
        self.asked: Order | None = None
        self._asked_in: State = "starting"
        self.last_words = ""
        self.death = ""
        self._resuming = False
        self.snapshot = Snapshot()
        self._painted: Snapshot | None = None
        self._charted: tuple[int, int] | None = None
        self._painted_at = self._charted_at = float("-inf")
        self._next_paint: Timer | None = None

    def body(self) -> Iterable[Widget]:
        yield Line(id="header")
        yield Line(id="progress")
        yield Horizontal(
            Chart("loss", id="loss"), Chart("accuracy", percent=True, id="accuracy"), id="charts"
        )
        yield Line(id="stats")
        yield Line(id="probes")
        yield Line(id="outcome")
        yield EventLog(id="log")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.add_class(VIEWS[0])
        self.query_one(CommandLine).show(["watch", self.run.name])
        self.follow()
        self.paint()

    def on_resize(self) -> None:
        super().on_resize()
        self._painted = None
        self.call_after_refresh(self.paint)

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Take the run's events as they come, until it is over."""
        try:
            async for update in self.engine.follow(self.run):
                self.view.apply(update.events)
                self.alive = update.alive
                if update.events or not update.alive:
                    self.paint_soon()
        except UserError as error:
            self.query_one(Problem).show(error)
        self.snapshot = self.view.snapshot(self.alive)
        if self.snapshot.state in ("failed", "interrupted"):
            self.last_words = await asyncio.to_thread(self.run.last_words)
            self.death = self.engine.how_it_died(self.run)
        self._painted_at = self._charted_at = float("-inf")
        self._painted = None
        self.paint()

    def paint_soon(self) -> None:
        """Paint at once, or as soon as the last painting is old enough."""
        if self._next_paint is None:
            wait = self._painted_at + self.PAINT_SECONDS - time.monotonic()
            if wait <= 0:
                self.paint()
            else:
                self._next_paint = self.set_timer(wait, self.paint)

    def paint(self) -> None:
        """Show what the events so far add up to."""
        self._next_paint = None
        if not self.is_attached:
            return
        now = self.snapshot = self.view.snapshot(self.alive)
        if now == self._painted:
            return
        if now.state != self._asked_in:
            self.asked = None
        if self._painted is None or now.state != self._painted.state:
            self.keys_changed()
        self._painted, self._painted_at = now, time.monotonic()
        with self.app.batch_update():
            self._paint_words(now)
            self._paint_charts(now)

    def _paint_words(self, now: Snapshot) -> None:
        width, ascii_only = self.app.size.width, self.alexnet.ascii_only
        self._say("header", report.header(now, self.run.name, self.asked))
        self._say("progress", report.progress(now, width, ascii_only))
        self._say("stats", report.stats(now))
        self._say("probes", report.probes(now))
        outcome = report.outcome(now, self.last_words, self.death)
        self._say("outcome", outcome or Content(""))
        self.set_class(outcome is not None, "-over")
        self.query_one(EventLog).show(now.log)

    def _paint_charts(self, now: Snapshot) -> None:
        """Draw the curves, at most once a second and only if they have grown."""
        grown = (now.steps_done, len(now.epochs))
        wait = self._charted_at + self.CHART_SECONDS - time.monotonic()
        if grown in (self._charted, (0, 0)):
            return
        if wait > 0:
            self._painted = None
            self._next_paint = self._next_paint or self.set_timer(wait, self.paint)
            return
        self._charted, self._charted_at = grown, time.monotonic()
        self.query_one("#loss", Chart).show(loss_curves(now))
        self.query_one("#accuracy", Chart).show(accuracy_curves(now))

    def _say(self, line: str, words: Content) -> None:
        self.query_one(f"#{line}", Line).show(words)

    @work(exclusive=True, group="order")
    async def order(self, order: Order) -> None:
        """Give the run an order; the header says so until the run has taken it up."""
        try:
            await self.engine.order(self.run, order)
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        self.asked, self._asked_in = order, self.snapshot.state
        self._painted = None
        self.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something now: orders go to the living, models come from the ended."""
        if action in ("pause", "stop"):
            return self.snapshot.state in LIVING
        if action == "resume":
            return self.snapshot.state in RESUMABLE
        if action == "classify":
            return self.snapshot.ended is not None
        return True

    def action_pause(self) -> None:
        """Pause a run that trains; let one go on that waits."""
        paused = self.snapshot.state == "paused" or self.asked == "pause"
        self.order("go" if paused else "pause")

    def action_resume(self) -> None:
        """Go on with a run that was stopped or killed; a second press changes nothing."""
        if not self._resuming:
            self._resuming = True
            self._resume()

    @work
    async def _resume(self) -> None:
        """Have the run resumed, and watch it again from its first event."""
        problem = self.query_one(Problem)
        problem.show(None)
        self._say("header", Content("going on …"))
        try:
            await self.engine.resume(self.run)
        except UserError as error:
            problem.show(error)
            self._painted = None
            self.paint()
        else:
            self.view, self.alive = RunView(), True
            self.last_words = self.death = ""
            self._charted = None
            self.follow()
        self._resuming = False

    def action_stop(self) -> None:
        """Ask how to stop, and order it."""
        self.app.push_screen(Ask("Stop this training?", STOP_REPLIES), self._stop_as)

    def _stop_as(self, reply: str | None) -> None:
        if reply == "stop":
            self.order("stop")
        elif reply == "stop-now":
            self.order("stop-now")

    def action_leave(self) -> None:
        """Leave; a living run goes on and says so on the first screen."""
        self.action_back()

    def action_log_scale(self) -> None:
        """Draw the loss on a logarithmic axis, or not."""
        chart = self.query_one("#loss", Chart)
        chart.log_scale = not chart.log_scale

    def action_charts(self) -> None:
        """Go on to the next view of the charts."""
        shown = next(view for view in VIEWS if self.has_class(view))
        self.remove_class(shown)
        self.add_class(VIEWS[(VIEWS.index(shown) + 1) % len(VIEWS)])

    def action_classify(self) -> None:
        """Classify with the model that the run has left."""
        if self.snapshot.ended is not None:
            self.post_message(messages.OpenClassify(Path(self.snapshot.ended.model)))
