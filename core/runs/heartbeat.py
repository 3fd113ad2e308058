"""A sign of life from a trainer that says nothing for a while, and how long there was none.

The sign is the log's time of change. Whoever watches looks whether it moves, by its own clock, so that
neither clocks that jump nor those of other machines matter.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT_SECONDS = 5.0
# Above this a silence is worth a word.
SILENT_SECONDS = 60.0


@contextmanager
def beating(log: Path) -> Iterator[None]:
    """Touch `log` every few seconds in which the calling thread has worked; must be the main one.

    A thread that hangs (on a disk, in a driver, in a deadlock) uses no processor time, and neither does
    a process that was stopped: then there is no beat. One that waits for orders looks for them.
    """
    clock = time.pthread_getcpuclockid(threading.get_ident())
    over = threading.Event()

    def beat() -> None:
        worked = time.clock_gettime(clock)
        while not over.wait(BEAT_SECONDS):
            now = time.clock_gettime(clock)
            if now > worked:
                worked = now
                with suppress(OSError):
                    os.utime(log)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Silence:
    """Tells how long a log has not been touched, by looking again and again."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._touched: int | None = None
        self._since = 0.0

    def seconds(self) -> float:
        """Look, and return the seconds without a sign of life.

        At the first look that is the age of the file, later what has passed since it last changed.
        """
        now = time.monotonic()
        touched = self._look()
        if self._touched is None:
            age = time.time() - touched / 1e9
            self._since = now - max(age, 0.0)
        elif touched != self._touched:
            self._since = now
        self._touched = touched
        return now - self._since

    def _look(self) -> int:
        # Opened, since a network's file system may answer `stat` from what it remembers.
        with suppress(OSError), self._log.open("rb") as log:
            return os.fstat(log.fileno()).st_mtime_ns
        return time.time_ns()
