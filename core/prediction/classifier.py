"""A warm model as the engine sees it: processes that read, one that answers. Free of torch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.errors import UserError
from core.model.card import ModelInfo, model_info
from core.prediction import frames
from core.prediction.answering import Predictions
from core.prediction.explain import Heat, heat_map
from core.prediction.gather import gather
from core.prediction.reading import FETCH_SECONDS, PREVIEW, Readers, Wanted
from core.prediction.sources import Refusal, Source, place_of

# Below this the answer is shown as not sure.
SURE = 0.75
# So many pictures are under way at once, and no more bytes than these: memory stays flat.
MOST_UNDER_WAY = 64
BYTES_UNDER_WAY = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture made small for the screen: `rgb` holds `width * height * 3` bytes, row by row."""

    width: int
    height: int
    rgb: bytes
    original_width: int
    original_height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the model says of one source; `probabilities` has every class, the likeliest first."""

    source: str
    label: str
    confidence: float
    sure: bool
    probabilities: dict[str, float]
    milliseconds: (
        float  # to read and to answer, without any wait for others or for the model to load
    )
    picture: Picture | None = None  # of one picture alone, never of one among many
    # As the model takes it, `(channels, size, size)` uint8; also of one picture alone.
    square: bytes = field(default=b"", repr=False)
    heat: Heat | None = None


class Classifier:
    """A model file with the processes that answer for it: `async with Classifier(...) as c: ...`."""

    info: ModelInfo

    def __init__(
        self, model: Path, fetch_seconds: float = FETCH_SECONDS, readers: int | None = None
    ) -> None:
        self._model = model
        self.readers = Readers(readers, fetch_seconds)
        self.predictions = Predictions(model)
        # One map at a time: each has dozens of squares under way.
        self._explaining = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Start the processes and read what the model says of itself; answers wait for them.

        Raises:
            UserError: the model file cannot be used.
        """
        try:
            # Side by side: torch takes seconds to load, in which all else is done.
            await self.predictions.start()
            await self.readers.start()
            self.info = await asyncio.to_thread(model_info, self._model)
            self.predictions.expect(self.info.digest)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        # First of all, because this task may be cancelled before it can wait.
        self.predictions.strike()
        self.readers.strike()
        await asyncio.gather(self.readers.close(), self.predictions.close())

    async def classify(self, source: str | Source) -> Answer:
        """Classify one picture; cancelling it kills the reader that is stuck on it.

        Raises:
            UserError: the source cannot be read, or the model cannot be used.
        """
        single = source if isinstance(source, Source) else Source(place_of(source))
        read = await self.readers.read(single, self._wanted(PREVIEW))
        return replace(await self._answer(single, read), square=read.pixels)

    async def explain(self, answer: Answer) -> Answer:
        """Return `answer`, which `classify` gave, with its heat map; that takes as long as some 120 answers.

        Raises:
            UserError: the model cannot be used.
        """
        assert answer.square
        return await self._explained(answer, answer.square)

    async def gather(self, word: str) -> AsyncIterator[Source | Refusal]:
        """Yield the single sources in `word`: a URL, a file, a folder, a pattern, an archive."""
        async for found in gather(word, self.readers):
            yield found

    async def classify_all(
        self, sources: AsyncIterator[Source | Refusal], heat: bool = False
    ) -> AsyncGenerator[Answer | Refusal, None]:
        """Yield an answer for each of `sources`, in their order, or why it has none; with `heat` its map too.

        They are read side by side and answered in batches; how many at once is bounded, and so is memory.

        Raises:
            UserError: the model cannot be used.
        """
        under_way: deque[asyncio.Task[Answer | Refusal]] = deque()
        coming: asyncio.Task[Source | Refusal | None] | None = asyncio.create_task(_next(sources))
        try:
            while coming or under_way:
                room = len(under_way) < self._most_under_way
                # A source that is there but has to wait is not waited for: that would be a busy loop.
                waited_for = {*islice(under_way, 1), *([coming] if coming and room else [])}
                await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
                if coming and coming.done() and room:
                    source = coming.result()
                    if source is not None:
                        under_way.append(asyncio.create_task(self._outcome(source, heat)))
                    coming = asyncio.create_task(_next(sources)) if source is not None else None
                while under_way and under_way[0].done():
                    yield under_way.popleft().result()
        finally:
            await _cancelled([*under_way, *([coming] if coming else [])])

    @property
    def _most_under_way(self) -> int:
        spec = self.info.card.preprocessing
        fitting = BYTES_UNDER_WAY // (spec.channels * spec.stored_size**2)
        return min(max(fitting, 2 * self.readers.most), MOST_UNDER_WAY)

    async def _outcome(self, source: Source | Refusal, heat: bool) -> Answer | Refusal:
        if isinstance(source, Refusal):
            return source
        try:
            read = await self.readers.read(source, self._wanted(0))
        except UserError as error:
            return Refusal(source.shown, error)
        answer = await self._answer(source, read)
        return await self._explained(answer, read.pixels) if heat else answer

    def _wanted(self, preview: int) -> Wanted:
        spec = self.info.card.preprocessing
        return Wanted(stored_size=spec.stored_size, channels=spec.channels, preview=preview)

    async def _answer(self, source: Source, read: frames.ReadAnswer) -> Answer:
        row, seconds = await self.predictions.ask(read.pixels)
        ranked = sorted(
            zip(self.info.classes, row, strict=True), key=lambda pair: pair[1], reverse=True
        )
        label, confidence = ranked[0]
        return Answer(
            source=source.shown,
            label=label,
            confidence=confidence,
            sure=confidence >= SURE,
            probabilities=dict(ranked),
            milliseconds=(read.seconds + seconds) * 1000,
            picture=picture_of(read) if read.rgb else None,
        )

    async def _explained(self, answer: Answer, square: bytes) -> Answer:
        names, spec = self.info.classes, self.info.card.preprocessing
        chances = [answer.probabilities[name] for name in names]
        async with self._explaining:
            heat = await heat_map(
                self.predictions.ask,
                square,
                spec.channels,
                spec.view,
                chances,
                names.index(answer.label),
            )
        return replace(answer, heat=heat)


async def _next(sources: AsyncIterator[Source | Refusal]) -> Source | Refusal | None:
    return await anext(sources, None)


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait for their ends: a reader that is in use is killed by then."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def picture_of(read: frames.ReadAnswer) -> Picture:
    """Return the preview in an answer of the reader."""
    return Picture(
        width=read.width,
        height=read.height,
        rgb=read.rgb,
        original_width=read.original_width,
        original_height=read.original_height,
    )
