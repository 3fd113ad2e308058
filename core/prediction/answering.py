"""The warm predictor as its parent sees it: pixels go out, probabilities come back, many at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from core.errors import UserError
from core.prediction import frames
from core.prediction.helper import Helper, StoppedError

MOST_TOGETHER = 32
# Two batches fit into a frame, and a batch of the largest squares still into memory.
BATCH_BYTES = frames.MAX_FRAME // 2
ANSWER_SECONDS = 60.0
# Torch from a cold network disk takes a minute; after this nothing comes any more.
LOADING_SECONDS = 120.0


class Predicted(NamedTuple):
    """The probabilities for one square, and its share of the seconds that its batch took."""

    row: list[float]
    seconds: float


_Waiting = tuple[bytes, "asyncio.Future[Predicted]"]


class Predictions:
    """One process that holds one model; its death costs one retry."""

    def __init__(self, model: Path) -> None:
        self._helper = Helper("predict", str(model))
        self._digest: asyncio.Future[str] | None = None
        self._warm: asyncio.Task[None] | None = None
        self._waiting: deque[_Waiting] = deque()
        self._work: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._helper.pid

    async def start(self) -> None:
        """Start the process; answers wait until it holds the model."""
        if self._digest is None:
            self._digest = asyncio.get_running_loop().create_future()
        await self._helper.start()
        self._warm = asyncio.create_task(self._wait_ready(self._digest))
        # Whoever asks for an answer is told of a failure; here it only counts as seen.
        self._warm.add_done_callback(lambda task: task.cancelled() or task.exception())

    def expect(self, digest: str) -> None:
        """Say which content the model file has; a process that loaded another one is refused."""
        assert self._digest is not None
        self._digest.set_result(digest)

    async def ask(self, pixels: bytes) -> Predicted:
        """Return the probabilities for one square; who asks meanwhile is answered together.

        Raises:
            UserError: the model cannot be used, or its process stopped twice.
        """
        future: asyncio.Future[Predicted] = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, future))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all())
        return await future

    async def close(self) -> None:
        for task in (self._work, self._warm):
            if task is not None:
                task.cancel()
        await self._helper.kill()

    def strike(self) -> None:
        """End the process at once, also where nobody can wait any more."""
        self._helper.strike()

    async def _answer_all(self) -> None:
        while batch := self._next_batch():
            try:
                rows = await self._predict([pixels for pixels, _ in batch])
            except UserError as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), predicted in zip(batch, rows, strict=True):
                    if not future.done():
                        future.set_result(predicted)

    def _next_batch(self) -> list[_Waiting]:
        """Return those who wait, as many as go together, without those who no longer do."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < MOST_TOGETHER:
            pixels, future = self._waiting[0]
            if batch and size + len(pixels) > BATCH_BYTES:
                break
            self._waiting.popleft()
            if not future.done():
                batch.append((pixels, future))
                size += len(pixels)
        return batch

    async def _predict(self, squares: list[bytes]) -> list[Predicted]:
        request = frames.PredictRequest(pixels=b"".join(squares), count=len(squares))
        for _ in range(2):
            try:
                await self._until_warm()
                began = time.monotonic()
                answer = await self._helper.ask(request, frames.PredictAnswer, ANSWER_SECONDS)
            except (StoppedError, TimeoutError):
                self._warm = None
            else:
                if len(answer.probabilities) == len(squares):
                    share = (time.monotonic() - began) / len(squares)
                    return [Predicted(row, share) for row in answer.probabilities]
                await self._helper.kill()
                self._warm = None
        raise UserError(
            "The process that holds the model stopped twice.",
            "Is there enough memory? AlexNet needs about one GB.",
        )

    async def _until_warm(self) -> None:
        if self._warm is None or (self._warm.done() and not self._helper.running):
            await self.start()
        assert self._warm is not None
        # Shielded: a cancelled answer must not leave the model half loaded.
        await asyncio.shield(self._warm)

    async def _wait_ready(self, digest: asyncio.Future[str]) -> None:
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                ready = await self._helper.first(frames.Ready)
        except TimeoutError:
            await self._helper.kill()
            raise UserError(
                f"The model was not loaded within {LOADING_SECONDS:g} s.",
                "Is the disk or the machine very busy? Try again when it is less so.",
            ) from None
        if ready.title:
            raise UserError(ready.title, ready.hint)
        if ready.digest != await digest:
            raise UserError(
                "The model file was replaced while it was in use.",
                "Open it again to use the new one.",
            )
