"""A run as it is told: all events from the first on, then as they come, and whether its trainer lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.heartbeat import Silence
from core.runs.log import EventReader

POLL_SECONDS = 0.2
# A sign of life comes at least so often, also while nothing is said.
LIFE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Update:
    """New events of a run, and whether its trainer lives; one without events only says so.

    `silent` is for how many seconds a living trainer has given no sign of life, `behind` tells that
    more events are there already.
    """

    events: list[ev.AnyEvent]
    alive: bool
    silent: float = 0.0
    behind: bool = False


async def follow(run: RunFolder, skip: int, reap: Callable[[], None]) -> AsyncIterator[Update]:
    """Yield what `run` has said but the first `skip` events, until it is over.

    `reap` is called before each look, so that a trainer of ours that has died is not taken to live.
    """
    reader, silence = run.reader(), run.silence()
    loop = asyncio.get_running_loop()
    said = float("-inf")
    ended = False
    while True:
        reap()
        alive, read, silent = await asyncio.to_thread(_look, run, reader, silence)
        events, skip = read[skip:], max(skip - len(read), 0)
        if read:
            # What looks like the end may be one that the run was resumed from.
            ended = ev.is_last(read[-1]) and not reader.behind
        if events or not alive or loop.time() - said >= LIFE_SECONDS:
            said = loop.time()
            yield Update(
                events=events, alive=alive and not ended, silent=silent, behind=reader.behind
            )
        if not read and (ended or not alive):
            return
        await asyncio.sleep(0 if read else POLL_SECONDS)


def _look(
    run: RunFolder, reader: EventReader, silence: Silence
) -> tuple[bool, list[ev.AnyEvent], float]:
    # Asked before reading: what a trainer wrote before it died must not be missed.
    alive = run.alive()
    return alive, reader.read(), silence.seconds() if alive else 0.0
