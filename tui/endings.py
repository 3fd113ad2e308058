"""Which living runs the app has met, and which of them have ended since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from time import monotonic

from core.engine import Engine
from core.runs.folder import RunFolder, RunSummary

# A list of runs that was read before an end may arrive after it.
_LATE_SECONDS = 10.0


class Endings:
    """Tells each end of a run once, also of one that is continued and ends again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._living: dict[Path, RunFolder] = {}
        self._told: dict[Path, float] = {}

    def meet(self, runs: Iterable[RunFolder]) -> None:
        """Keep in mind that `runs` are alive."""
        now = monotonic()
        for run in runs:
            if now - self._told.get(run.path, float("-inf")) > _LATE_SECONDS:
                self._living[run.path] = run

    async def new(self) -> AsyncIterator[RunSummary]:
        """Yield how those stand that have ended since; what is yielded is not yielded again."""
        for run in list(self._living.values()):
            summary = await self._engine.summary(run)
            if summary is not None and summary.alive:
                continue
            # Somebody else may have asked and told meanwhile.
            if self._living.pop(run.path, None) and summary is not None:
                self._told[run.path] = monotonic()
                yield summary
