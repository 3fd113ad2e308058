"""A warm model as the engine sees it: one process that reads, one that answers. Free of torch."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.errors import UserError
from core.model.card import ModelInfo, model_info
from core.prediction import frames, sources
from core.processes import worker_command, worker_environment
from core.text import portable

# Below this the answer is shown as not sure.
SURE = 0.75
PREVIEW = 96
READ_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture made small for the screen: `rgb` holds `width * height * 3` bytes, row by row."""

    width: int
    height: int
    rgb: bytes
    original_width: int
    original_height: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model says of one source; `probabilities` has every class, the likeliest first."""

    source: str
    label: str
    confidence: float
    sure: bool
    probabilities: dict[str, float]
    milliseconds: float  # to read and to answer, without the wait for the model to load
    picture: Picture


class Helper:
    """A process of `core.worker` that is asked one thing at a time and killed when it stalls."""

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

    async def first(self, kind: type[frames.T]) -> frames.T:
        """Return what the process says unasked.

        Raises:
            EOFError, ConnectionError: it died.
        """
        assert self._process is not None and self._process.stdout is not None
        return await frames.receive(self._process.stdout, kind)

    async def ask(self, request: Any, kind: type[frames.T], seconds: float) -> frames.T:
        """Return the answer to `request`.

        Raises:
            EOFError, ConnectionError: the process died.
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
            except BaseException:
                # Half an answer may be under way: only a new process is known to be in step.
                await self.kill()
                raise

    async def kill(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


class Reader:
    """Reads pictures in a confined process."""

    def __init__(self) -> None:
        self._helper = Helper("read")

    async def start(self) -> None:
        await self._helper.start()

    async def read(
        self, source: str, stored_size: int = 0, channels: int = 3, preview: int = PREVIEW
    ) -> frames.ReadAnswer:
        """Return the pixels of `source` and a preview.

        Raises:
            UserError: it cannot be read.
        """
        request = frames.ReadRequest(
            source=portable(source), stored_size=stored_size, channels=channels, preview=preview
        )
        try:
            answer = await self._helper.ask(request, frames.ReadAnswer, READ_SECONDS)
        except TimeoutError:
            raise UserError(
                f"{sources.shown(source)} took more than {READ_SECONDS:g} s to read.",
                "Try another picture.",
            ) from None
        except (EOFError, ConnectionError):
            raise UserError(
                f"{sources.shown(source)} could not be read: the reader stopped on it.",
                "The picture is probably damaged; try another.",
            ) from None
        if answer.title:
            raise UserError(answer.title, answer.hint)
        return answer

    async def close(self) -> None:
        await self._helper.kill()


class Classifier:
    """A model file with the processes that answer for it: `async with Classifier(...) as c: ...`."""

    info: ModelInfo

    def __init__(self, model: Path) -> None:
        self._model = model
        self._reader = Reader()
        self._predictor = Helper("predict", str(model))
        self._warm: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Read what the model says of itself and start its processes; answers wait for them.

        Raises:
            UserError: the model file cannot be used.
        """
        self.info = await asyncio.to_thread(model_info, self._model)
        await self._reader.start()
        await self._warm_up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._warm:
            self._warm.cancel()
        await asyncio.gather(self._reader.close(), self._predictor.kill())

    async def classify(self, source: str) -> Answer:
        """Classify an address or a file; cancelling it kills what is under way.

        Raises:
            UserError: the source cannot be read, or the model cannot be used.
        """
        spec = self.info.card.preprocessing
        source = sources.normalised(source)
        began = time.monotonic()
        read = await self._reader.read(source, spec.stored_size, spec.channels)
        seconds = time.monotonic() - began
        await self._until_warm()
        began = time.monotonic()
        row = (await self._predict(read.pixels))[0]
        seconds += time.monotonic() - began
        ranked = sorted(
            zip(self.info.classes, row, strict=True), key=lambda pair: pair[1], reverse=True
        )
        label, confidence = ranked[0]
        return Answer(
            source=sources.shown(source),
            label=label,
            confidence=confidence,
            sure=confidence >= SURE,
            probabilities=dict(ranked),
            milliseconds=seconds * 1000,
            picture=picture_of(read),
        )

    async def _predict(self, pixels: bytes) -> list[list[float]]:
        """Return probabilities; a predictor that died is started once more."""
        request = frames.PredictRequest(pixels=pixels, count=1)
        for attempt in (1, 2):
            await self._until_warm()
            try:
                answer = await self._predictor.ask(request, frames.PredictAnswer, READ_SECONDS)
                return answer.probabilities
            except (EOFError, ConnectionError, TimeoutError):
                self._warm = None
                if attempt == 2:
                    raise UserError(
                        "The process that holds the model stopped twice.",
                        "Is there enough memory? AlexNet needs about one GB.",
                    ) from None
        raise AssertionError("the second attempt returns or raises")

    async def _until_warm(self) -> None:
        if self._warm is None or (self._warm.done() and not self._predictor.running):
            await self._warm_up()
        assert self._warm is not None
        # Shielded: a cancelled answer must not leave the model half loaded.
        await asyncio.shield(self._warm)

    async def _warm_up(self) -> None:
        await self._predictor.start()
        self._warm = asyncio.create_task(self._wait_ready())

    async def _wait_ready(self) -> None:
        try:
            ready = await self._predictor.first(frames.Ready)
        except (EOFError, ConnectionError):
            raise UserError(
                "The process that holds the model did not start.",
                "Is there enough memory? AlexNet needs about one GB.",
            ) from None
        if ready.title:
            raise UserError(ready.title, ready.hint)


def picture_of(read: frames.ReadAnswer) -> Picture:
    """Return the preview in an answer of the reader."""
    return Picture(
        width=read.width,
        height=read.height,
        rgb=read.rgb,
        original_width=read.original_width,
        original_height=read.original_height,
    )
