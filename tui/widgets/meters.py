"""How busy the machine is on which a run trains, measured while somebody looks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.timer import Timer

from core.engine import Load
from core.runs.events import RunStarted
from tui.vitals import gpu_lines, meters, settled
from tui.widgets.line import Line
from tui.words import lines

if TYPE_CHECKING:
    from tui.app import AlexNetApp
    from tui.screens.page import Page


class Meters(Line):
    """A line of meters, and one for each GPU where that is asked for and there are several."""

    POLL_SECONDS: ClassVar[float] = 2.0
    # So long a measurement waits for the dashboard's next painting, which shows it, too: a frame less.
    WAIT_SECONDS: ClassVar[float] = 1.5
    all_gpus = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.load: Load | None = None
        self._run: RunStarted | None = None
        self._waiting: Timer | None = None

    def measure_for(self, run: RunStarted | None) -> None:
        """Measure while the run `run` lives; None ends it and clears the line."""
        if run == self._run:
            return
        self._run, self.load = run, None
        self.show_load()
        if run is None:
            self.workers.cancel_node(self)
        else:
            self._measure(run)

    def show_load(self) -> None:
        """Show what was measured last, as the width allows."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        self.set_class(self.load is not None, "-measured")
        if self.load is None or self._run is None:
            return
        ascii_only = cast("AlexNetApp", self.app).ascii_only
        words = [meters(self.load, self._run, self.app.size.width, ascii_only)]
        if self.all_gpus and len(self.load.gpus) > 1:
            words += gpu_lines(self.load, self._run, ascii_only)
        self.show(lines(*words))

    @work(exclusive=True)
    async def _measure(self, run: RunStarted) -> None:
        engine = cast("AlexNetApp", self.app).engine
        async for load in engine.loads(run, self.POLL_SECONDS):
            first, self.load = self.load is None, settled(self.load, load)
            if first:
                self.show_load()
                # Whether there is more than one GPU is known from here on.
                cast("Page", self.screen).keys_changed()
            elif self._waiting is None:
                self._waiting = self.set_timer(self.WAIT_SECONDS, self.show_load)
            while not self.screen.is_current:
                await asyncio.sleep(self.POLL_SECONDS)
