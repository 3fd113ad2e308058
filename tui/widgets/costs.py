"""Beside the form: what the training will take, measured where nobody knows its speed yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from textual import work
from textual.content import Content
from textual.message import Message

from core.config import TrainConfig
from core.engine import Costs, Sizes, Speed
from core.errors import UserError
from tui.costs import cost_lines, in_short
from tui.widgets.line import Line
from tui.words import lines

if TYPE_CHECKING:
    from tui.app import AlexNetApp


class CostLines(Line):
    """Three lines; a measurement runs in a process of its own and ends with this widget at the latest."""

    # Time that the settings stay as they are before they are reckoned, and before steps are measured.
    REST_SECONDS = 0.2
    MEASURE_REST_SECONDS = 1.0

    class Told(Message):
        """There is more to say in short."""

        def __init__(self, short: str) -> None:
            super().__init__()
            self.short = short

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._asked: tuple[TrainConfig, Sizes, bool] | None = None

    def ask(self, config: TrainConfig | None, sizes: Sizes | None, may_measure: bool) -> None:
        """Show what `config` takes, soon; with `may_measure` its speed is measured if need be.

        Without a `config`, while a field is wrong, what is shown stays; without `sizes` nothing will be trained.
        """
        if config is None:
            self.leave()
        elif sizes is None:
            self.leave()
            self.show(Content(""))
            self.post_message(self.Told(""))
        elif (config, sizes, may_measure) != self._asked:
            self._asked = (config, sizes, may_measure)
            self._reckon(config, sizes, may_measure)

    def leave(self) -> None:
        """End a measurement that goes on; what is shown stays."""
        self._asked = None
        self.workers.cancel_group(self, "costs")

    @work(exclusive=True, group="costs")
    async def _reckon(self, config: TrainConfig, sizes: Sizes, may_measure: bool) -> None:
        engine = cast("AlexNetApp", self.app).engine
        await asyncio.sleep(self.REST_SECONDS)
        costs, speed = await engine.costs(config, sizes)
        said = "known once examined"
        if may_measure:
            said = "needs more memory than is free" if costs.memory.is_short else "measuring …"
        self._tell(config, sizes, costs, speed, said)
        if speed is None and may_measure and not costs.memory.is_short:
            await asyncio.sleep(self.MEASURE_REST_SECONDS)
            try:
                speed = await engine.measure(config, sizes)
            except UserError as error:
                said = error.title
            self._tell(config, sizes, costs, speed, said)

    def _tell(
        self, config: TrainConfig, sizes: Sizes, costs: Costs, speed: Speed | None, said: str
    ) -> None:
        self.show(lines(*cost_lines(config, sizes, costs, speed, said, self.size.width)))
        self.post_message(self.Told(in_short(config, sizes, costs, speed)))
