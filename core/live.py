"""A line of the terminal that is written anew as work goes on, and gone before anything else is printed."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from core.errors import UserError
from core.text import safe_text

Result = TypeVar("Result")

# Often enough to see that it goes on; a slow line is not filled with it.
EVERY_SECONDS = 0.5
USUAL_COLUMNS = 80
_BACK, _CLEARED = "\r", "\x1b[K"


def is_piped() -> bool:
    """Tell whether what is printed goes through a pipe."""
    with suppress(OSError):
        return stat.S_ISFIFO(os.fstat(1).st_mode)
    return False


class LiveLine:
    """The line, on stderr where that is a terminal that can clear a line; elsewhere nothing is written.

    Used as a context it is gone at the end, however that comes.
    """

    def __init__(self, wanted: bool = True) -> None:
        stream = sys.stderr
        able = stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
        self._stream = stream if wanted and able else None
        self._next = 0.0
        self._shown = False

    @property
    def due(self) -> bool:
        """Whether `show` would write anything now."""
        return time.monotonic() >= self._next and self._is_ours()

    def show(self, words: str) -> None:
        """Write `words` over what was there, as far as there is room."""
        if self.due:
            self._next = time.monotonic() + EVERY_SECONDS
            self._shown = True
            # One cell is left free: a line that is full would be two on some terminals.
            self._write(f"{_BACK}{safe_text(words, max(self._columns() - 1, 1))}{_CLEARED}")

    def count(self, what: str, done: int, total: int = 0) -> None:
        """Say how much of the work `what` is done, of how much where that is known."""
        self.show(f"{what} {done:,}" + (f" of {total:,}" if total else ""))

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            if self._is_ours():
                self._write(f"{_BACK}{_CLEARED}")

    def _is_ours(self) -> bool:
        """Tell whether there is a terminal, and nobody else, such as a shell, is in its foreground."""
        with suppress(OSError):
            return self._stream is not None and os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        return False

    def _columns(self) -> int:
        assert self._stream is not None
        with suppress(OSError):
            # Some terminals do not know.
            return os.get_terminal_size(self._stream.fileno()).columns or USUAL_COLUMNS
        return USUAL_COLUMNS

    def _write(self, text: str) -> None:
        try:
            print(text, end="", file=self._stream, flush=True)
        except OSError:
            # A terminal that has gone ends nothing.
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()


async def result_of(told: AsyncIterator[tuple[int, int] | Result], work: str, what: str) -> Result:
    """Return what comes at the end of `told`; how many of `what` are done before is shown live.

    Raises:
        UserError: there is no end of `work`, or its own.
    """
    with LiveLine() as live:
        async for said in told:
            if not isinstance(said, tuple):
                return said
            live.count(what, *said)
    raise UserError(f"The {work} did not finish.", "Try again.")
