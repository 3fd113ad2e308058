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
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from core.processes import cpu_count

CHUNK = 32
# How long a chunk, or a single item that is tried again, may take.
CHUNK_SECONDS = 120.0
ITEM_SECONDS = 30.0
# Chunks that each worker has in hand: one it works on, one to go on with at once.
IN_HAND = 2
# Finished chunks that wait for an earlier one, for each worker.
AHEAD = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Chunk(Generic[Item]):
    """Some items of the list; `place` is that of the first."""

    place: int
    items: Sequence[Item]

    @property
    def seconds(self) -> float:
        return ITEM_SECONDS if len(self.items) == 1 else CHUNK_SECONDS


@dataclass
class _Worker(Generic[Item]):
    """A process with the chunks it has been given, oldest first, and since when it works on that."""

    process: Any
    pipe: Connection
    chunks: deque[_Chunk[Item]] = field(default_factory=deque)
    since: float = 0.0

    def give(self, chunk: _Chunk[Item], words: tuple[Any, ...]) -> None:
        if not self.chunks:
            self.since = time.monotonic()
        self.chunks.append(chunk)
        self.pipe.send((chunk.items, words))

    def is_stuck(self) -> bool:
        return bool(self.chunks) and time.monotonic() - self.since > self.chunks[0].seconds

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Crew(Generic[Item, Result]):
    """As many processes as there are cores, each of which first does `begin`, then `work` on chunks.

    `work` is given some items and the further words of `map`, and returns a result for each. Used as
    a context, at whose end the processes are killed. `forked` says that nothing stands against forking
    but threads and a GPU, which are looked for here.
    """

    def __init__(
        self,
        begin: Callable[[], None],
        work: Callable[..., list[Result]],
        lost: Callable[[Item], Result],
        forked: bool,
    ) -> None:
        self._begin = begin
        self._work = work
        self._lost = lost
        self._forked = forked
        self._workers: list[_Worker[Item]] = []

    def __enter__(self) -> Crew[Item, Result]:
        self._workers = [self._new_worker() for _ in range(cpu_count())]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def map(self, items: Sequence[Item], *words: Any) -> Iterator[Result]:
        """Yield the result of each of `items`, in their order; `lost(item)` of one that no worker survives."""
        waiting = deque(
            _Chunk(start, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)
        )
        done: dict[int, list[Result]] = {}
        place = 0
        while place < len(items):
            self._hand_out(waiting, place, words)
            self._collect(waiting, done)
            while place in done:
                results = done.pop(place)
                yield from results
                place += len(results)

    def _hand_out(self, waiting: deque[_Chunk[Item]], place: int, words: tuple[Any, ...]) -> None:
        """Give the next chunks to workers with a free hand, not too far ahead of the one that is due."""
        limit = place + AHEAD * len(self._workers) * CHUNK
        for _ in range(IN_HAND):
            for worker in self._workers:
                if waiting and waiting[0].place < limit and len(worker.chunks) < IN_HAND:
                    self._give(worker, waiting, words)

    def _give(
        self, worker: _Worker[Item], waiting: deque[_Chunk[Item]], words: tuple[Any, ...]
    ) -> None:
        chunk = waiting.popleft()
        try:
            worker.give(chunk, words)
        except OSError:
            # It died; what it had in hand comes back when its end of file is read.
            pass

    def _collect(self, waiting: deque[_Chunk[Item]], done: dict[int, list[Result]]) -> None:
        """Wait for answers and take them; what a dead or stuck worker had goes back to those `waiting`."""
        busy = {worker.pipe: worker for worker in self._workers if worker.chunks}
        soonest = min(w.since + w.chunks[0].seconds for w in busy.values())
        for pipe in wait(list(busy), max(soonest - time.monotonic(), 0) + 0.1):
            worker = busy[pipe]  # type: ignore[index]
            try:
                results: list[Result] = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker, waiting, done)
            else:
                done[worker.chunks.popleft().place] = results
                worker.since = time.monotonic()
        for worker in list(self._workers):
            if worker.is_stuck():
                self._replace(worker, waiting, done)

    def _replace(
        self,
        worker: _Worker[Item],
        waiting: deque[_Chunk[Item]],
        done: dict[int, list[Result]],
    ) -> None:
        """Put a new worker in the place of one that died on its oldest chunk, or is stuck in it."""
        worker.end()
        self._workers[self._workers.index(worker)] = self._new_worker()
        suspect, *rest = worker.chunks
        waiting.extendleft(reversed(rest))
        if len(suspect.items) == 1:
            done[suspect.place] = [self._lost(suspect.items[0])]
            return
        singles = [_Chunk(suspect.place + i, [item]) for i, item in enumerate(suspect.items)]
        waiting.extendleft(reversed(singles))

    def _new_worker(self) -> _Worker[Item]:
        # Forked where that is safe, which spares each worker its imports.
        alone = threading.active_count() == 1 and "torch" not in sys.modules
        context = get_context("fork" if alone and self._forked else "spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._begin, self._work), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _serve(pipe: Connection, begin: Callable[[], None], work: Callable[..., list[Any]]) -> None:
    begin()
    while True:
        try:
            items, words = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(work(items, *words))
