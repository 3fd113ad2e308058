"""Between frames and the terminal: a writer that never holds the app up, and sends only what changes."""

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
    """Writes to the terminal from a thread, of each frame only what changes; `write` never waits.

    When the terminal does not keep up, whole frames are dropped, and `repaint` is called once it
    has taken what was under way. `gone` is called when there is no terminal any more. Once
    `synchronized`, the terminal is told where a frame begins and ends, and shows it at once.
    """

    synchronized = False

    def __init__(
        self, descriptor: int, repaint: Callable[[], None], gone: Callable[[], None]
    ) -> None:
        self._descriptor, self._repaint, self._gone = descriptor, repaint, gone
        self._queue: deque[str] = deque()
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
            self._queue.append(text)
            self._characters += len(text)
            self._changed.notify()

    def window_changed(self) -> None:
        """Send the next frame whole: what a terminal keeps when it changes its size is its own affair."""
        self._unknown = True

    def forget(self) -> None:
        """Drop what is queued if the terminal is behind: something more important comes."""
        with self._changed:
            if self._behind():
                self._queue.clear()
                self._characters = 0

    def close(self) -> None:
        """Wait a moment for what is queued; a stalled terminal does not get the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_SECONDS)

    def _behind(self) -> bool:
        late = self._busy_since is not None and monotonic() - self._busy_since > _QUEUE_SECONDS
        return late or self._characters > _QUEUE_CHARACTERS

    def _run(self) -> None:
        while (text := self._next()) is not None:
            if self._unknown:
                self._unknown = False
                self._canvas.forget()
            drawn = self._canvas.draw(text, self._size())
            if self.synchronized and drawn and not passes(drawn):
                drawn = f"{SYNC_START}{drawn}{SYNC_END}"
            if not self._put(drawn.encode("utf-8", "replace")):
                self._gone()
                return

    def _size(self) -> tuple[int, int] | None:
        """Return the columns and lines that the terminal has now, should it know them."""
        with suppress(OSError):
            columns, lines = os.get_terminal_size(self._descriptor)
            return (columns, lines) if columns and lines else None
        return None

    def _next(self) -> str | None:
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
