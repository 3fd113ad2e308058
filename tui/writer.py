"""Between frames and the terminal: a writer that never holds the app up, and sends only what changes.

What a terminal takes at once is written at once. A thread writes the rest: it may wait, the app does not.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from textual._ansi_sequences import SYNC_END, SYNC_START

from tui.canvas import Canvas, passes

# What the terminal has not taken by then is old news: better a fresh picture than a late film.
_QUEUE_CHARACTERS = 512 * 1024
_QUEUE_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
_CHUNK = 8192


class Writer:
    """Writes to the terminal, of each frame only what changes; `write` never waits.

    When the terminal does not keep up, whole frames are dropped, and `repaint` is called once it
    has taken what was under way. `gone` is called when there is no terminal any more. Once
    `synchronized`, the terminal is told where a frame begins and ends, and shows it at once.
    """

    synchronized = False

    def __init__(
        self, descriptor: int, repaint: Callable[[], None], gone: Callable[[], None]
    ) -> None:
        self._descriptor, self._repaint, self._gone = descriptor, repaint, gone
        self._unwaiting = _unwaiting(descriptor)
        # Frames, and behind one that the terminal has not taken whole the rest of its bytes.
        self._queue: deque[str | bytes] = deque()
        self._canvas = Canvas()
        self._unknown = False
        self._characters = 0
        self._busy_since: float | None = None
        self._dropped = self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)
        self._thread.start()

    def write(self, text: str, keep: bool = False) -> None:
        """Queue `text`; with `keep` it is not dropped, however long it has to wait."""
        with self._changed:
            if self._behind() and not keep:
                self._dropped = True
                return
            idle = self._busy_since is None and not self._queue
            rest = self._put_at_once(text) if idle else text
            if rest:
                self._queue.append(rest)
                self._characters += len(rest)
                self._changed.notify()

    def window_changed(self) -> None:
        """Send the next frame whole: what a terminal keeps when it changes its size is its own affair."""
        self._unknown = True

    def forget(self) -> None:
        """Drop what is queued if the terminal is behind: something more important comes."""
        with self._changed:
            if self._behind():
                # What the terminal has taken the beginning of it gets whole.
                begun = [rest for rest in self._queue if isinstance(rest, bytes)]
                self._queue = deque(begun)
                self._characters = sum(map(len, begun))

    def close(self) -> None:
        """Wait a moment for what is queued; a stalled terminal does not get the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_SECONDS)
        with self._changed:
            if self._unwaiting is not None:
                os.close(self._unwaiting)
                self._unwaiting = None

    def _behind(self) -> bool:
        late = self._busy_since is not None and monotonic() - self._busy_since > _QUEUE_SECONDS
        return late or self._characters > _QUEUE_CHARACTERS

    def _run(self) -> None:
        while (text := self._next()) is not None:
            if not self._put(text if isinstance(text, bytes) else self._drawn(text)):
                self._gone()
                return

    def _drawn(self, text: str) -> bytes:
        """Return what of a frame goes to the terminal."""
        if self._unknown:
            self._unknown = False
            self._canvas.forget()
        drawn = self._canvas.draw(text, self._size())
        if self.synchronized and drawn and not passes(drawn):
            drawn = f"{SYNC_START}{drawn}{SYNC_END}"
        return drawn.encode("utf-8", "replace")

    def _put_at_once(self, text: str) -> str | bytes:
        """Write as much of a frame as the terminal takes now; return the rest."""
        if self._unwaiting is None:
            return text
        data = self._drawn(text)
        try:
            return data[os.write(self._unwaiting, data) :]
        except OSError:
            # It takes nothing now, or is gone: the thread finds out which.
            return data

    def _size(self) -> tuple[int, int] | None:
        """Return the columns and lines that the terminal has now, should it know them."""
        with suppress(OSError):
            columns, lines = os.get_terminal_size(self._descriptor)
            return (columns, lines) if columns and lines else None
        return None

    def _next(self) -> str | bytes | None:
        with self._changed:
            if not self._queue:
                self._busy_since = None
                if self._dropped:
                    self._dropped = False
                    self._repaint()
            while not self._queue:
                if self._closing:
                    return None
                self._changed.wait()
            if self._busy_since is None:
                self._busy_since = monotonic()
            text = self._queue.popleft()
            self._characters -= len(text)
            return text

    def _put(self, data: bytes) -> bool:
        """Write `data` whole, however long it takes; False when the terminal is gone."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest[:_CHUNK]) :]
            except BlockingIOError:
                # Somebody who shares the terminal has made it non-blocking.
                select.select([], [self._descriptor], [], 1.0)
            except OSError:
                return False
        return True


def _unwaiting(descriptor: int) -> int | None:
    """Return a descriptor of the same terminal that never waits; None where it cannot be had.

    It has to be opened anew: to be told not to wait, one is told together with all who share it, as the shell.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        opened = os.open(os.ttyname(descriptor), flags)
    except OSError:
        return None
    ours, theirs = os.fstat(opened), os.fstat(descriptor)
    if (ours.st_dev, ours.st_ino, ours.st_rdev) == (theirs.st_dev, theirs.st_ino, theirs.st_rdev):
        return opened
    os.close(opened)
    return None
