"""Watch a run learn: live, or as it went; the run itself never notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from core.errors import UserError
from core.evaluation.outcome import model_left
from core.runs.folder import RunFolder
from core.runs.heartbeat import SILENT_SECONDS
from core.runs.orders import Order
from core.runs.resuming import RESUMABLE
from core.runs.snapshot import LIVING, OBEYING, Snapshot, State
from core.text import duration, native, safe_text
from tui import messages, report, vitals
from tui.commands import section_bindings
from tui.driver import CaughtUp
from tui.screens.ask import Ask, Reply
from tui.screens.charted import ChartedPage
from tui.widgets.charts import Charts
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.log import EventLog
from tui.widgets.meters import Meters
from tui.widgets.probes import ProbeRow
from tui.widgets.problem import Problem

STOP_REPLIES = (
    Reply("e", "stop after this epoch, keep the best model", "stop"),
    Reply("n", "stop now, keep the best model", "stop-now"),
)
END_REPLY = Reply("n", "end its process; resume goes on from what is saved", "end")


class Dashboard(ChartedPage):
    """Shows what a run's events add up to, at most once a second."""

    SECTION = "dashboard"
    BINDINGS = section_bindings("dashboard")
    PAINT_SECONDS: ClassVar[float] = 1.0

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        # Whether the log holds more than was read: the curves wait for all of it.
        self.behind = False
        # The order that the run has not taken up yet, and the state in which it was given.
        self.asked: Order | None = None
        self._asked_in: State = "starting"
        self.last_words = ""
        # Seconds without a sign of life from a living trainer.
        self.silent = 0.0
        # Whether somebody chose to see the probe pictures, or not to; else the room decides.
        self.pictures: bool | None = None
        self.gpus: bool | None = None
        self._pictured: tuple[str, ...] = ()
        self.death = ""
        self._resuming = False
        # The model that the ended run has left: in its place there may be a later run's.
        self._model: Path | None = None
        # Whether anything of the run was read.
        self._known = False
        self.snapshot = Snapshot()
        self._painted: Snapshot | None = None
        self._painted_at = float("-inf")
        self._next_paint: Timer | None = None

    def body(self) -> Iterable[Widget]:
        yield Line(id="header")
        yield Line(id="progress")
        yield Charts(id="charts")
        yield Line(id="stats")
        yield Line(id="pulse")
        yield Meters(id="meters")
        yield Line(id="probes")
        yield ProbeRow(id="pictures")
        yield Line(id="outcome")
        yield EventLog(id="log")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(CommandLine).show(["watch", self.run.name])
        self.follow()
        self.paint()

    def on_resize(self) -> None:
        super().on_resize()
        self._painted = None
        self._fit_vitals()
        self.call_after_refresh(self.paint)

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Take what the run's events add up to as they come, until it is over."""
        try:
            async for sight in self.engine.watch(self.run):
                ended = sight.snapshot.ended
                if ended is not None and ended != self.snapshot.ended:
                    self._model = await asyncio.to_thread(model_left, self.run, ended)
                self.snapshot = sight.snapshot
                self._listen(sight.silent)
                # What a run is does not wait, nor do its curves once all of it is read.
                if (self.behind and not sight.behind) or not self._known:
                    self._painted_at, self._known = float("-inf"), True
                self.behind = sight.behind
                if sight.alive:
                    self.alexnet.endings.meet([self.run])
                self.paint_soon()
        except UserError as error:
            self.query_one(Problem).show(error)
        self.silent = 0.0
        self.alexnet.look_for_endings()
        if self.snapshot.state in ("failed", "interrupted"):
            self.last_words = await asyncio.to_thread(self.run.last_words)
            self.death = self.engine.how_it_died(self.run)
        self.behind = False
        self._painted_at = float("-inf")
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

    @on(CaughtUp)
    def _paint_newest(self) -> None:
        """Paint without waiting, and once more when more is known: the terminal has missed some time."""
        self.paint()
        self._painted_at = float("-inf")

    def paint(self) -> None:
        """Show what the events so far add up to."""
        self._next_paint = None
        if not self.is_attached:
            return
        now = self.snapshot
        if now == self._painted:
            return
        # One that went on before it had paused says nothing of either.
        if now.state != self._asked_in or (self.asked == "go" and now.state != "paused"):
            self.asked = None
        before = self._painted
        if before is None or (now.state, not now.probes) != (before.state, not before.probes):
            self.keys_changed()
        self._painted, self._painted_at = now, time.monotonic()
        with self.app.batch_update():
            self._paint_words(now)
            if not self.behind:
                self.charts.show(now, at_once=now.state not in LIVING)

    def _paint_words(self, now: Snapshot) -> None:
        width, ascii_only = self.app.size.width, self.alexnet.ascii_only
        self._say("header", report.header(now, self.run.name, self.asked))
        self._say("progress", report.progress(now, width, ascii_only))
        self._say("stats", report.stats(now, width))
        self._say("pulse", vitals.pulse(now, self.silent, self.alexnet.key))
        self._say("probes", vitals.probes(now))
        self.query_one(Meters).measure_for(now.started if now.state in LIVING else None)
        self._fit_vitals()
        outcome = report.outcome(
            now, self._end_of_last_words(), self.death, self.alexnet.key, self._model
        )
        self._say("outcome", outcome or Content(""))
        self.set_class(outcome is not None, "-over")
        self.query_one(EventLog).show(now)

    def _listen(self, silent: float) -> None:
        """Say that there is no sign of life, or that there is one again."""
        before, self.silent = self.silent, silent
        if max(before, silent) >= SILENT_SECONDS:
            self._say("pulse", vitals.pulse(self.snapshot, silent, self.alexnet.key))
            self.keys_changed()

    @property
    def _is_silent(self) -> bool:
        """Whether the trainer has given no sign of life for so long that it is worth a word."""
        return self.silent >= SILENT_SECONDS

    # Without a description Textual writes out all points of the curves to make one.
    @work(exclusive=True, group="probes", description="show probes")
    async def _show_probes(self, now: Snapshot) -> None:
        """Show the probes' answers; their pictures are read once, and only if they are to be seen."""
        await self.query_one(ProbeRow).show(now.probes, roomy=self.has_class("-large"))
        paths = tuple(probe.path for probe in now.probes)
        if now.started is not None and paths != self._pictured and self.has_class("-pictures"):
            self._pictured = paths
            self._read_probes(Path(now.started.data), paths)

    @work(exclusive=True, group="probe-pictures")
    async def _read_probes(self, data: Path, paths: Sequence[str]) -> None:
        """Read the probes' pictures and show them, whatever answers come meanwhile."""
        shown = 0
        for path in paths:
            # One that cannot be read leaves its words.
            with suppress(UserError):
                picture = await self.engine.preview(data / native(path))
                self.query_one(ProbeRow).show_picture(path, picture)
                shown += 1
        if not shown:
            # The data is gone, or on another machine.
            self.pictures = False
            self._fit_vitals()

    @property
    def _probed(self) -> bool:
        """Whether there are probes' answers, and room for them."""
        now = self.snapshot
        return bool(now.probes) and now.state in LIVING and not self.has_class("-short")

    def _fit_vitals(self) -> None:
        """Show pictures and all GPUs where somebody asked for them, or where there is room."""
        large, huge = self.has_class("-large"), self.has_class("-huge")
        pictures = large if self.pictures is None else self.pictures
        # Beside large charts there is no place for pictures.
        pictures = pictures and self._probed and self.has_class("-all")
        self.set_class(pictures, "-pictures")
        self.set_class(self._probed and not pictures, "-probed")
        if pictures:
            self._show_probes(self.snapshot)
        line = self.query_one(Meters)
        line.all_gpus = huge if self.gpus is None else self.gpus
        line.show_load()

    def _end_of_last_words(self) -> str:
        """Return as much of a dead trainer's last words as there is room for, a line each."""
        most = 8 if self.has_class("-large") else 2 if self.has_class("-short") else 5
        said = self.last_words.splitlines()[-most:]
        return "\n".join(safe_text(line, self.app.size.width - 2) for line in said)

    def _say(self, line: str, words: Content) -> None:
        self.query_one(f"#{line}", Line).show(words)

    @work(exclusive=True, group="order")
    async def order(self, order: Order, end: bool = False) -> None:
        """Give the run an order; the header says so until the run has taken it up, or was ended for it."""
        try:
            if await self.engine.order(self.run, order, end):
                return
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        self.asked, self._asked_in = order, self.snapshot.state
        self._painted = None
        self.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something now: orders go to the living, models come from the ended."""
        if action in ("pause", "stop"):
            ended = action == "stop" and self._is_silent and self.snapshot.state in LIVING
            return self.snapshot.state in OBEYING or ended
        if action == "report":
            return self.snapshot.state not in LIVING
        if action == "resume":
            return self.snapshot.state in RESUMABLE
        if action == "classify":
            return self.snapshot.ended is not None
        if action == "pictures":
            return self._probed and self.has_class("-all")
        if action == "meters":
            load = self.query_one(Meters).load
            return load is not None and len(load.gpus) > 1 and not self.has_class("-short")
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
            # From here on it lives, also before its first event is read: it is not resumed twice.
            self.snapshot = Snapshot()
            self.last_words = self.death = ""
            self.charts.whole()
            self.follow()
        self._resuming = False

    def action_stop(self) -> None:
        """Ask how to stop, and order it."""
        stay = "leave it paused" if self.snapshot.state == "paused" else "go on training"
        replies, question = (Reply("g", stay, ""), *STOP_REPLIES), "Stop this training?"
        if self._is_silent:
            usual = STOP_REPLIES[:1] if self.snapshot.state in OBEYING else ()
            replies = (Reply("g", "leave it as it is", ""), *usual, END_REPLY)
            question = f"There is no sign of life for {duration(self.silent)}. Stop this training?"
        self.app.push_screen(Ask(question, replies), self._stop_as)

    def _stop_as(self, reply: str | None) -> None:
        if reply == "stop":
            self.order("stop")
        elif reply == "stop-now":
            self.order("stop-now")
        elif reply == "end":
            self.notify("listening once more, then ending its process …", timeout=20)
            self.order("stop-now", end=True)

    def action_leave(self) -> None:
        """Leave; a living run goes on and says so on the first screen."""
        self.action_back()

    def action_charts(self) -> None:
        """Go on to the next view of the charts; pictures have a place beside all the rest only."""
        super().action_charts()
        self._fit_vitals()
        self.keys_changed()

    def action_pictures(self) -> None:
        """Show the probe pictures, or hide them."""
        self.pictures = not self.has_class("-pictures")
        self._fit_vitals()

    def action_meters(self) -> None:
        """Show a line for every GPU, or the run's own alone."""
        self.gpus = not self.query_one(Meters).all_gpus
        self._fit_vitals()

    def action_log_level(self) -> None:
        """Show all of the log, warnings and errors, or errors only."""
        self.query_one(EventLog).next_level()

    def action_log_page_down(self) -> None:
        self.query_one(EventLog).scroll_page_down(animate=False)

    def action_log_page_up(self) -> None:
        self.query_one(EventLog).scroll_page_up(animate=False)

    def action_report(self) -> None:
        """Look at what came out of the run."""
        self.post_message(messages.OpenReport(self.run))

    @work(exclusive=True, group="classify")
    async def action_classify(self) -> None:
        """Classify with the model that the run has left; another may have taken its place just now."""
        ended = self.snapshot.ended
        if ended is None:
            return
        before, self._model = self._model, await asyncio.to_thread(model_left, self.run, ended)
        if self._model is None:
            self.query_one(Problem).show(
                UserError(
                    f"The run {self.run.name} has left no model: a later run has written over it.",
                    "Choose a later run, or train again with another place for the model.",
                )
            )
        else:
            self.post_message(messages.OpenClassify(self._model))
        if self._model != before:
            self._painted = None
            self.paint()
