"""The async face of core: all that a screen or a command asks for. It never imports torch.

Every method raises `core.errors.UserError` for what a person can mend.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from core.config import TrainConfig
from core.errors import UserError
from core.runs import events as ev
from core.runs.folder import Order, RunFolder, RunSummary


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """A class folder: its name and how many files look like pictures."""

    name: str
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a folder is, from its names alone; `problem` says why it cannot be trained on."""

    folder: Path
    classes: tuple[ClassCount, ...]
    samples: tuple[Path, ...]
    left_out: int
    problem: UserError | None
    suggestion: Path | None

    @property
    def pictures(self) -> int:
        return sum(c.pictures for c in self.classes)


@dataclass(frozen=True, kw_only=True)
class Update:
    """New events of a run, and whether its trainer lives; one without events is a sign of life."""

    events: list[ev.AnyEvent]
    alive: bool


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
    milliseconds: float
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model file says of itself."""

    path: Path
    classes: tuple[str, ...]
    image_size: int
    trained_on: str
    created: float
    epochs: int
    best_epoch: int
    validation_accuracy: float | None
    test: ev.Interval | None
    settings: dict[str, object]


class Engine:
    """Inspect, train, follow, control, classify."""

    async def inspect(self, folder: Path) -> Inspection:
        """Look at `folder` (names only, in a thread); never raises for what it finds there."""
        raise NotImplementedError

    async def train(self, config: TrainConfig) -> RunFolder:
        """Check `config`, start a detached trainer, return when its run has its first event."""
        raise NotImplementedError

    def follow(self, run: RunFolder) -> AsyncIterator[Update]:
        """Yield the run's events from the first on, then as they come, until the run is over."""
        raise NotImplementedError

    async def runs(self, data: Path | None = None) -> list[RunSummary]:
        """List the runs, the living first, then the newest first."""
        raise NotImplementedError

    async def order(self, run: RunFolder, order: Order) -> None:
        """Give a living run an order."""
        raise NotImplementedError

    async def preview(self, source: Path, size: int = 48) -> Picture:
        """Read a picture, made to fit `size` x `size`, in a confined process."""
        raise NotImplementedError

    async def model_info(self, model: Path) -> ModelInfo:
        """Read what a model file (or the model of a data folder) says of itself, verified."""
        raise NotImplementedError

    def classifier(self, model: Path) -> Classifier:
        """Return a classifier for `model`: `async with engine.classifier(path) as c: ...`."""
        raise NotImplementedError

    def demo(
        self, folder: Path, images: int = 2000, seed: int = 0
    ) -> AsyncIterator[tuple[int, int]]:
        """Draw the built-in example into `folder`, yielding (done, total)."""
        raise NotImplementedError


class Classifier:
    """A warm model: processes that read and answer until it is closed."""

    info: ModelInfo

    async def __aenter__(self) -> Self:
        """Start its processes; answers before they are warm wait for them."""
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    async def classify(self, source: str) -> Answer:
        """Classify a URL or a file; cancelling it kills what is under way."""
        raise NotImplementedError


def planned_parts(counts: list[int], split: int) -> list[tuple[int, int, int]]:
    """Return (train, validation, test) per class for `counts` pictures a class."""
    raise NotImplementedError


__all__ = ["Answer", "Classifier", "Engine", "asyncio"]
