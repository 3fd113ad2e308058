"""A crew of processes that work through a long list in order, and lose no more than the item they die on.

Unlike the standard pools it has no threads and no pipe shared by several writers: a worker that is killed
in the middle of an answer leaves an end of file on its own pipe, and nobody waits for the rest for ever.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from core.errors import RunFailedError
from core.processes import cpu_count

CHUNK = 32
# Of what is sent to a worker at once: it must fit into the pipe beside another chunk, or a worker that sends
# its answer and a parent that sends the next chunk would wait for each other.
CHUNK_CHARACTERS = 8192
# How long a chunk, or a single item that is tried again, may take.
CHUNK_SECONDS = 60.0
ITEM_SECONDS = 10.0
TOLERANCE_SECONDS = 0.1
# How long a process may take to start, its imports and all.
START_SECONDS = 60.0
# So many processes in a row may end before they have started: then none of them ever will.
MOST_STILLBORN = 5
# Chunks that each worker has in hand: one it works on, one to go on with at once.
IN_HAND = 2
# Finished chunks that wait for an earlier one, for each worker.
AHEAD = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Chunk(NamedTuple):
    """Some items of the list; `place` is that of the first."""

    place: int
    items: Sequence[Any]


@dataclass(eq=False)
class _Worker:
    """A process with the chunks it has been given, oldest first, and since when it works on that."""

    process: Any
    pipe: Connection
    chunks: deque[_Chunk] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    ready: bool = False

    def give(self, chunk: _Chunk, work: Callable[..., Any], words: tuple[Any, ...]) -> None:
        if self.ready and not self.chunks:
            self.since = time.monotonic()
        self.chunks.append(chunk)
        self.pipe.send((work, chunk.items, words))

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Crew:
    """As many processes as there are cores, each of which first does `begin`.

    Used as a context, at whose end they are killed. `forked` says that nothing stands against forking
    but Python's threads and a GPU, which are looked for here.
    """

    def __init__(
        self,
        begin: Callable[[], None],
        forked: bool,
        chunk_seconds: float = CHUNK_SECONDS,
        item_seconds: float = ITEM_SECONDS,
    ) -> None:
        self._begin = begin
        self._forked = forked
        self._chunk_seconds = chunk_seconds
        self._item_seconds = item_seconds
        self._workers: list[_Worker] = []
        self._stillborn = 0

    def __enter__(self) -> Crew:
        self._workers = [self._new_worker() for _ in range(cpu_count())]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def map(
        self,
        work: Callable[..., list[Result]],
        items: Sequence[Item],
        words: tuple[Any, ...],
        lost: Callable[[Item], Result],
    ) -> Iterator[Result]:
        """Yield the result of each of `items`, in their order.

        `work(some_items, *words)` is done by the processes and returns a result for each; `lost(item)` is
        the result of one that no process survives. To be used to its end, or not any more.

        Raises:
            RunFailedError: the processes end before they have started, whatever the items are.
        """
        waiting = deque(_chunks(items))
        done: dict[int, list[Result]] = {}
        place = 0
        while place < len(items):
            self._hand_out(waiting, place, work, words)
            self._collect(waiting, done, lost)
            while place in done:
                results = done.pop(place)
                yield from results
                place += len(results)

    def _hand_out(
        self, waiting: deque[_Chunk], place: int, work: Callable[..., Any], words: tuple[Any, ...]
    ) -> None:
        """Give the next chunks to workers with a free hand, not too far ahead of the one that is due."""
        limit = place + AHEAD * len(self._workers) * CHUNK
        for _ in range(IN_HAND):
            for worker in self._workers:
                if waiting and waiting[0].place < limit and len(worker.chunks) < IN_HAND:
                    # One that died shows by the end of its pipe, and what it had comes back then.
                    with suppress(OSError):
                        worker.give(waiting.popleft(), work, words)

    def _collect(
        self, waiting: deque[_Chunk], done: dict[int, list[Any]], lost: Callable[[Any], Any]
    ) -> None:
        """Wait for answers and take them; what a dead or stuck worker had goes back to those `waiting`."""
        busy = {worker.pipe: worker for worker in self._workers if worker.chunks}
        soonest = min(self._due(worker) for worker in busy.values())
        for pipe in wait(list(busy), max(soonest - time.monotonic(), 0) + TOLERANCE_SECONDS):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            try:
                results = pipe.recv()
            except (EOFError, OSError):
                self._replace(worker, waiting, done, lost)
            else:
                if worker.ready:
                    done[worker.chunks.popleft().place] = results
                worker.ready = True
                worker.since = time.monotonic()
                self._stillborn = 0
        for worker in list(self._workers):
            if worker.chunks and self._due(worker) < time.monotonic():
                self._replace(worker, waiting, done, lost)

    def _due(self, worker: _Worker) -> float:
        """Return when a worker has had its time for the chunk that it works on."""
        if not worker.ready:
            return worker.since + START_SECONDS
        alone = len(worker.chunks[0].items) == 1
        return worker.since + (self._item_seconds if alone else self._chunk_seconds)

    def _replace(
        self,
        worker: _Worker,
        waiting: deque[_Chunk],
        done: dict[int, list[Any]],
        lost: Callable[[Any], Any],
    ) -> None:
        """Put a new worker in the place of one that died on its oldest chunk, or is stuck in it."""
        worker.end()
        self._stillborn += not worker.ready
        if self._stillborn > MOST_STILLBORN:
            raise RunFailedError(
                "The processes that read the pictures end before they have started.",
                "Is memory short, or the number of processes limited (ulimit -u)?",
            )
        self._workers[self._workers.index(worker)] = self._new_worker()
        suspect, *rest = worker.chunks
        waiting.extendleft(reversed(rest))
        if len(suspect.items) == 1:
            done[suspect.place] = [lost(suspect.items[0])]
            return
        singles = [_Chunk(suspect.place + i, [item]) for i, item in enumerate(suspect.items)]
        waiting.extendleft(reversed(singles))

    def _new_worker(self) -> _Worker:
        # Forked where that is safe, which spares each worker its imports.
        alone = threading.active_count() == 1 and "torch" not in sys.modules
        context: Any = get_context("fork" if alone and self._forked else "spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._begin), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _chunks(items: Sequence[Any]) -> Iterator[_Chunk]:
    """Cut `items`, texts or tuples that begin with one, into chunks of bounded count and length."""
    start = length = 0
    for place, item in enumerate(items):
        text = item if isinstance(item, str) else item[0]
        length += len(text)
        if place - start == CHUNK or (length > CHUNK_CHARACTERS and place > start):
            yield _Chunk(start, items[start:place])
            start, length = place, 0
    if start < len(items):
        yield _Chunk(start, items[start:])


def _serve(pipe: Connection, begin: Callable[[], None]) -> None:
    begin()
    # The first word says that it has started; its time for the first chunk begins then.
    pipe.send([])
    while True:
        try:
            work, items, words = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(work(items, *words))
