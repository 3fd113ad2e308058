"""Lines from standard input as they come, without holding up anything else that goes on."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

_CHUNK = 65_536
# Longer than any path or address; what has no line ends at all is handed on in such pieces.
_LONGEST = 2**20
_AHEAD = 16


async def lines_from(descriptor: int) -> AsyncIterator[str]:
    """Yield the lines that can be read from `descriptor`, undecodable bytes as surrogate escapes.

    A thread of its own waits for them and may be left behind: an executor's thread, or one that holds
    the lock of `sys.stdin`, would keep the program from ending while a terminal or a pipe is silent.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)
    loop = asyncio.get_running_loop()

    def read() -> None:
        # The loop is closed when the program has ended; then nobody waits for lines.
        with suppress(RuntimeError):
            while True:
                try:
                    chunk = os.read(descriptor, _CHUNK)
                except OSError:
                    chunk = b""
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
                if not chunk:
                    return

    threading.Thread(target=read, daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield os.fsdecode(line.rstrip(b"\r"))
    if rest:
        yield os.fsdecode(rest.rstrip(b"\r"))
