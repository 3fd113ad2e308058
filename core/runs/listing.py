"""The list of all runs, quick however many there are: an ended run is read once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.runs.folder import RunFolder, RunSummary

Stamp = tuple[int, ...]


class Listing:
    """Keeps the summaries of runs whose files have not changed since."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Stamp, RunSummary]] = {}

    def summaries(self, data: Path | None = None) -> list[RunSummary]:
        """Return all runs, or those on the folder `data`, the living first, then the newest first."""
        found = []
        for run in RunFolder.all(data):
            try:
                found.append(self._summary(run))
            except (OSError, msgspec.MsgspecError):
                # Deleted since it was listed.
                self._kept.pop(run.path, None)
        return sorted(found, key=lambda run: not run.alive)

    def _summary(self, run: RunFolder) -> RunSummary:
        # Taken before reading: what is written meanwhile must be seen the next time.
        stamp = run.stamp()
        known, summary = self._kept.get(run.path, ((), None))
        if summary is not None and known == stamp and not _may_live(run, summary):
            return summary
        summary = run.summary()
        self._kept[run.path] = stamp, summary
        return summary


def _may_live(run: RunFolder, summary: RunSummary) -> bool:
    """Tell whether the same files may mean something else by now: a trainer died or took over."""
    return summary.alive or (summary.state in ("prepared", "interrupted") and run.alive())
