"""The readers as their parent sees them: a source goes out, pixels of known size come back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from core.errors import UserError
from core.prediction import frames
from core.prediction.helper import Helper, StoppedError
from core.prediction.sources import Source, is_url
from core.processes import cpu_count
from core.text import portable

PREVIEW = 96
FETCH_SECONDS = 20.0
# For a file: long enough for a cold network disk, while decoding has its own, shorter limit.
FILE_SECONDS = 30.0
# After the end of a download: to decode it, and to say so.
MARGIN_SECONDS = 6.0
MOST_READERS = 8
# By these a person ends a process, or the kernel when memory is short.
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a picture: a square of `stored_size` (0: none), a preview within `preview`."""

    stored_size: int = 0
    channels: int = 3
    preview: int = PREVIEW


class Reader:
    """Reads pictures in a confined process."""

    def __init__(self, fetch_seconds: float = FETCH_SECONDS) -> None:
        self._fetch_seconds = fetch_seconds
        self._helper = Helper("read")

    @property
    def pid(self) -> int | None:
        return self._helper.pid

    async def start(self) -> None:
        await self._helper.start()

    async def read(self, source: Source, wanted: Wanted) -> frames.ReadAnswer:
        """Return the pixels of `source` and a preview, as `wanted`.

        Raises:
            UserError: it cannot be read.
        """
        request = frames.ReadRequest(
            source=portable(source.place),
            member=source.member,
            stored_size=wanted.stored_size,
            channels=wanted.channels,
            preview=wanted.preview,
            seconds=self._fetch_seconds,
        )
        answer = await self._asked(request, source)
        if not _is_honest(answer, wanted):
            await self._helper.kill()
            raise _unread(source, "the reader gave back something else than pixels")
        return answer

    async def members(self, archive: str) -> list[frames.Member]:
        """Return what looks like pictures in the archive at the path `archive`.

        Raises:
            UserError: it cannot be read.
        """
        request = frames.ReadRequest(source=portable(archive), listing=True)
        return (await self._asked(request, Source(archive))).members

    async def _asked(self, request: frames.ReadRequest, source: Source) -> frames.ReadAnswer:
        fetched = is_url(source.place)
        seconds = self._fetch_seconds + MARGIN_SECONDS if fetched else FILE_SECONDS
        try:
            answer = await self._asked_again_if_killed(request, seconds)
        except TimeoutError:
            raise UserError(
                f"{source.shown} took more than {seconds:g} s to read.", "Try another picture."
            ) from None
        except StoppedError as stopped:
            if stopped.code == -signal.SIGALRM:
                raise _unread(source, "it takes too long to decode") from None
            raise _unread(source, "the reader stopped on it") from None
        if answer.title:
            raise UserError(answer.title, answer.hint)
        return answer

    async def _asked_again_if_killed(
        self, request: frames.ReadRequest, seconds: float
    ) -> frames.ReadAnswer:
        """Ask, and once more where somebody ended the process: that says nothing of the picture."""
        try:
            return await self._helper.ask(request, frames.ReadAnswer, seconds)
        except StoppedError as stopped:
            if stopped.code not in _FROM_OUTSIDE:
                raise
            return await self._helper.ask(request, frames.ReadAnswer, seconds)

    async def close(self) -> None:
        await self._helper.kill()

    def strike(self) -> None:
        """End the process at once, also where nobody can wait any more."""
        self._helper.strike()


class Readers:
    """As many readers as there are cores, each started when it is needed; the warmest is used first."""

    def __init__(self, most: int | None = None, fetch_seconds: float = FETCH_SECONDS) -> None:
        self.most = min(most or cpu_count(), MOST_READERS)
        self._all = [Reader(fetch_seconds) for _ in range(self.most)]
        self._idle = list(self._all)
        self._free = asyncio.Semaphore(self.most)

    async def start(self) -> None:
        """Start one reader; the others follow with the work."""
        await self._idle[-1].start()

    @property
    def pids(self) -> list[int]:
        """The numbers of the living processes."""
        return [reader.pid for reader in self._all if reader.pid is not None]

    async def read(self, source: Source, wanted: Wanted) -> frames.ReadAnswer:
        """As `Reader.read`, by the first one that is free; the wait for it is not in `seconds`."""
        async with self._borrowed() as reader:
            began = time.monotonic()
            answer = await reader.read(source, wanted)
            return msgspec.structs.replace(answer, seconds=time.monotonic() - began)

    async def members(self, archive: str) -> list[frames.Member]:
        """As `Reader.members`."""
        async with self._borrowed() as reader:
            return await reader.members(archive)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Reader]:
        """Give the reader that was used last of those that are free, and take it back."""
        async with self._free:
            reader = self._idle.pop()
            try:
                yield reader
            finally:
                self._idle.append(reader)

    async def close(self) -> None:
        self.strike()
        await asyncio.gather(*(reader.close() for reader in self._all))

    def strike(self) -> None:
        """End all of them at once."""
        for reader in self._all:
            reader.strike()


def _is_honest(answer: frames.ReadAnswer, wanted: Wanted) -> bool:
    """Tell whether the sizes are those asked for: hostile bytes may have taken the reader over."""
    return (
        len(answer.pixels) == wanted.channels * wanted.stored_size**2
        and len(answer.rgb) == 3 * answer.width * answer.height
        and 0 <= answer.width <= wanted.preview
        and 0 <= answer.height <= wanted.preview
    )


def _unread(source: Source, why: str) -> UserError:
    return UserError(
        f"{source.shown} could not be read: {why}.",
        "The picture is probably damaged; try another.",
    )
