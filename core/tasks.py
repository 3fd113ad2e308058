"""What a worker does for the engine in a process of its own, telling on the way how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec

from core.errors import UserError
from core.processes import worker_command, worker_environment

# A report names every file that was left out, on one line.
LINE_BYTES = 256 * 2**20
TERMINATE_SECONDS = 3.0

Progress = tuple[int, int]
Result = TypeVar("Result")


async def task(*words: str, gently: bool = True) -> AsyncIterator[dict[str, Any]]:
    """Have a worker do something and yield what it says; it is ended when nobody listens any more.

    `gently` lets it take back what it has half done; else it is killed.

    Raises:
        UserError: the worker's own, or that it died.
    """
    process = await asyncio.create_subprocess_exec(
        *worker_command(*words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=worker_environment(),
        limit=LINE_BYTES,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            said: dict[str, Any] = msgspec.json.decode(line)
            if "title" in said:
                raise UserError(said["title"], said["hint"])
            yield said
        if await process.wait() != 0:
            raise UserError("A helper process stopped before it was done.", "Try again.")
    finally:
        if process.returncode is None:
            if gently:
                process.terminate()
            else:
                process.kill()
            try:
                await asyncio.wait_for(process.wait(), TERMINATE_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


async def told(
    kind: type[Result], *words: str, gently: bool = False
) -> AsyncIterator[Progress | Result]:
    """Have a task done, yielding (done, total), at last what came of it as a `kind`."""
    async for said in task(*words, gently=gently):
        if "done" in said:
            yield int(said["done"]), int(said["total"])
        else:
            yield msgspec.convert(said["result"], kind)
