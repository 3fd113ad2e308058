"""A run as it is told: from its first event on, then as they come, and whether its trainer lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.snapshot import Snapshot

POLL_SECONDS = 0.2
# Who watches sees one picture a second.
WATCH_SECONDS = 0.5
# A sign of life comes at least so often, also while nothing is said.
LIFE_SECONDS = 2.0
# Who watches the reading of a long log sees how far it is after so long.
REPLAY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Update:
    """New events of a run, and whether its trainer lives; one without events only says so.

    `silent` is for how many seconds a living trainer has given no sign of life.
    """

    events: list[ev.AnyEvent]
    alive: bool
    silent: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What all events of a run so far add up to, and whether its trainer lives.

    `silent` is for how many seconds a living trainer has given no sign of life, `behind` tells that
    more events are there already.
    """

    snapshot: Snapshot
    alive: bool
    silent: float = 0.0
    behind: bool = False


@dataclass(frozen=True)
class _Look:
    """What one look at a run has found: anything new, the end of the run, more than was read.

    `awaited` tells that a launcher is yet to begin it.
    """

    new: bool
    ended: bool
    behind: bool
    alive: bool
    awaited: bool
    silent: float

    @property
    def is_last(self) -> bool:
        return not self.new and (self.ended or not (self.alive or self.awaited))


async def follow(run: RunFolder, skip: int, reap: Callable[[], None]) -> AsyncIterator[Update]:
    """Yield what `run` has said but the first `skip` events, until it is over.

    `reap` is called before each look, so that a trainer of ours that has died is not taken to live.
    """
    reader = run.reader()
    read: list[ev.AnyEvent] = []
    ended = False

    def new() -> tuple[bool, bool, bool]:
        nonlocal read, ended
        read = reader.read()
        if read:
            # What looks like the end may be one that the run was resumed from.
            ended = ev.is_last(read[-1]) and not reader.behind
        return bool(read), ended, reader.behind

    async for look in _looks(run, new, reap, POLL_SECONDS):
        events, skip = read[skip:], max(skip - len(read), 0)
        if events or not read:
            yield Update(events=events, alive=look.alive and not look.ended, silent=look.silent)


async def watch(run: RunFolder, reap: Callable[[], None]) -> AsyncIterator[Sight]:
    """Yield what the events of `run` add up to, as often as that changes, until it is over.

    They are read and folded in a thread; `reap` is called as by `follow`.
    """
    replay = await asyncio.to_thread(run.replay)

    def new() -> tuple[bool, bool, bool]:
        read = replay.read(REPLAY_SECONDS)
        return read, replay.view.ended and not replay.behind, replay.behind

    async for look in _looks(run, new, reap, WATCH_SECONDS):
        alive = look.alive and not look.ended
        snapshot = replay.view.snapshot(alive, look.awaited)
        yield Sight(snapshot=snapshot, alive=alive, silent=look.silent, behind=replay.behind)


async def _looks(
    run: RunFolder,
    new: Callable[[], tuple[bool, bool, bool]],
    reap: Callable[[], None],
    seconds: float,
) -> AsyncIterator[_Look]:
    """Look at `run` every so many seconds; yield what is to be told.

    `new` is called in a thread, and returns whether there is anything new, whether the run has ended, and
    whether there is more already.
    """
    silence = run.silence()
    loop = asyncio.get_running_loop()
    said = float("-inf")

    def look() -> _Look:
        # Asked before reading: what a trainer wrote before it died must not be missed.
        # And in this order: what begins meanwhile is alive before it is awaited no more.
        awaited = run.awaited()
        alive = run.alive()
        return _Look(*new(), alive, awaited, silence.seconds() if alive else 0.0)

    while True:
        reap()
        found = await asyncio.to_thread(look)
        gone = not (found.alive or found.awaited)
        if found.new or gone or loop.time() - said >= LIFE_SECONDS:
            said = loop.time()
            yield found
        if found.is_last:
            return
        await asyncio.sleep(0 if found.behind or found.ended else seconds)
