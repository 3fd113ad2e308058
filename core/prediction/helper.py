"""A process of `core.worker` that is asked one thing at a time, and killed when it stalls."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any

import msgspec

from core.prediction import frames
from core.processes import worker_command, worker_environment


class StoppedError(Exception):
    """The process ended in the middle of a request; `code` is its exit code, a signal if negative."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Helper:
    """The process, started when it is first needed and again after it has died."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start the process if there is none."""
        if self.running:
            return
        self._process = await asyncio.create_subprocess_exec(
            *worker_command(*self._words),
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=worker_environment() | {"OPENBLAS_NUM_THREADS": "1"},
            # Ctrl-C and a closed terminal are the parent's business, which then ends this.
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The number of the living process."""
        return self._process.pid if self._process is not None and self.running else None

    async def first(self, kind: type[frames.T]) -> frames.T:
        """Return what the process says unasked.

        Raises:
            StoppedError: it died, or said something else.
        """
        process = self._process
        assert process is not None and process.stdout is not None
        try:
            return await frames.receive(process.stdout, kind)
        except (EOFError, ConnectionError, msgspec.MsgspecError):
            raise StoppedError(await self.kill()) from None

    async def ask(self, request: Any, kind: type[frames.T], seconds: float) -> frames.T:
        """Return the answer to `request`.

        Raises:
            StoppedError: the process died, or said what no honest one says.
            TimeoutError: it took more than `seconds`; it was killed.
        """
        async with self._turn:
            await self.start()
            assert self._process is not None
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None and stdout is not None
            try:
                async with asyncio.timeout(seconds):
                    await frames.send(stdin, request)
                    return await frames.receive(stdout, kind)
            except (EOFError, ConnectionError, msgspec.MsgspecError):
                raise StoppedError(await self.kill()) from None
            except BaseException:
                # Half an answer may be under way: only a new process is known to be in step.
                await self.kill()
                raise

    def strike(self) -> None:
        """Have the kernel end the process at once, without waiting for that."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                # Not by the process object: it would look whether the process has ended, and so take
                # the exit code away from asyncio, which then warns on stderr.
                os.kill(self._process.pid, signal.SIGKILL)

    async def kill(self) -> int | None:
        """End the process, whatever it is doing, and return how it ended."""
        self.strike()
        process, self._process = self._process, None
        return None if process is None else await asyncio.shield(process.wait())
