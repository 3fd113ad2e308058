"""The async face of core: all that a screen or a command asks for. It never imports torch.

Every method raises `core.errors.UserError` for what a person can mend.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core import machine
from core.config import TrainConfig, changed, names_in
from core.errors import UserError
from core.files import expanded
from core.machine import Device, Load, LoadMeter
from core.runs import events as ev
from core.runs.folder import RunFolder, RunSummary
from core.runs.following import Sight, Update, follow, watch
from core.runs.listing import Listing
from core.runs.ordering import give_order
from core.runs.resuming import check_resumable
from core.tasks import Progress, task, told
from core.trainers import Trainers

if TYPE_CHECKING:
    from core.costs import Costs, Need, Sizes
    from core.costs import seconds as seconds_of
    from core.dataset.folder import SUFFIXES, ClassCount, Inspection
    from core.dataset.problems import hopeless
    from core.dataset.report import Finding, Imported, Report
    from core.dataset.split import planned_parts
    from core.dataset.walk import LeftOutFile
    from core.evaluation.compare import Comparison
    from core.evaluation.mistakes import among
    from core.evaluation.outcome import Outcome
    from core.evaluation.result import Evaluation, Part
    from core.model.card import ModelInfo
    from core.prediction.classifier import SURE, Answer, Classifier, Picture
    from core.prediction.explain import Heat
    from core.prediction.reading import Reader
    from core.prediction.sources import Refusal, Source, is_many
    from core.prediction.sources import shown as shown_source
    from core.prediction.table import save_table
    from core.runs.epochs import EpochReader
    from core.runs.orders import Order
    from core.speeds import Speed

__all__ = [
    "SUFFIXES",
    "SURE",
    "Answer",
    "ClassCount",
    "Classifier",
    "Comparison",
    "Costs",
    "Device",
    "Engine",
    "Evaluation",
    "Finding",
    "Heat",
    "Imported",
    "Inspection",
    "LeftOutFile",
    "Load",
    "ModelInfo",
    "Need",
    "Outcome",
    "Picture",
    "Refusal",
    "Report",
    "Sight",
    "Sizes",
    "Source",
    "Speed",
    "Update",
    "among",
    "hopeless",
    "is_many",
    "planned_parts",
    "save_table",
    "seconds_of",
    "shown_source",
]

# Loaded by whoever asks for them: the first screen shall not wait for what it does not use.
_LATER = {
    **dict.fromkeys(("Costs", "Need", "Sizes"), "core.costs"),
    **dict.fromkeys(("SUFFIXES", "ClassCount", "Inspection"), "core.dataset.folder"),
    **dict.fromkeys(("Finding", "Imported", "Report"), "core.dataset.report"),
    **dict.fromkeys(("SURE", "Answer", "Classifier", "Picture"), "core.prediction.classifier"),
    **dict.fromkeys(("Refusal", "Source", "is_many"), "core.prediction.sources"),
    "Comparison": "core.evaluation.compare",
    "Evaluation": "core.evaluation.result",
    "Heat": "core.prediction.explain",
    "LeftOutFile": "core.dataset.walk",
    "ModelInfo": "core.model.card",
    "Outcome": "core.evaluation.outcome",
    "Speed": "core.speeds",
    "among": "core.evaluation.mistakes",
    "hopeless": "core.dataset.problems",
    "planned_parts": "core.dataset.split",
    "save_table": "core.prediction.table",
    "seconds_of": "core.costs:seconds",
    "shown_source": "core.prediction.sources:shown",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    module, _, other_name = _LATER[name].partition(":")
    value = globals()[name] = getattr(import_module(module), other_name or name)
    return value


MEASURE_SECONDS = 120.0
# The first measurement of a load is there so soon.
FIRST_LOAD_SECONDS = 0.5


class Engine:
    """Inspect, train, follow, control, classify."""

    def __init__(self) -> None:
        self._trainers = Trainers()
        # Made by the first preview.
        self._reader: Reader | None = None
        self._listing = Listing()

    async def close(self) -> None:
        """End what was started for this engine alone; trainings go on."""
        if self._reader is not None:
            await self._reader.close()

    async def devices(self) -> list[Device]:
        """Return what there is to train on: the GPUs, or the processor."""
        return await asyncio.to_thread(machine.devices)

    async def gpu_trouble(self) -> str:
        """Return why GPUs that seem to be there cannot be used, else nothing."""
        return await asyncio.to_thread(machine.gpu_trouble)

    async def loads(self, run: ev.RunStarted, seconds: float) -> AsyncIterator[Load]:
        """Yield every so many seconds how busy this machine is; nothing if `run` trains on another."""
        if run.hostname not in ("", machine.host_name()):
            return
        meter = await asyncio.to_thread(LoadMeter, run.pid)
        # A share of time needs a span of it.
        await asyncio.sleep(min(FIRST_LOAD_SECONDS, seconds))
        while True:
            yield await asyncio.to_thread(meter.read)
            await asyncio.sleep(seconds)

    async def inspect(self, data: Path, without: Sequence[str] = ()) -> Inspection:
        """Look at `data` (names only, in a thread that ends when this is cancelled); never raises.

        The class folders `without` are left out.
        """
        from core.dataset import folder

        cancelled = threading.Event()

        def on_progress(_: int) -> None:
            if cancelled.is_set():
                raise UserError("Cancelled.", "")

        try:
            return await asyncio.to_thread(folder.inspect, expanded(data), on_progress, without)
        finally:
            cancelled.set()

    async def check(self, config: TrainConfig) -> None:
        """Raise what stands against training with `config` and can be told without torch."""
        from core.costs import check_disks
        from core.model.place import check_target, check_weights

        config.check()
        inspection = await self.inspect(Path(config.data), names_in(config.without))
        if inspection.problem:
            raise inspection.problem
        await asyncio.to_thread(machine.check_gpus, config.device, config.gpus)
        if config.weights not in ("random", "imagenet"):
            await asyncio.to_thread(check_weights, Path(config.weights))
        await asyncio.to_thread(check_target, config.model_file())
        await asyncio.to_thread(check_disks, config, len(inspection.classes))

    async def train(self, config: TrainConfig) -> RunFolder:
        """Check `config`, start a detached trainer, return as soon as it has its run in hand."""
        run = await self.prepare(config)
        await self.start(run)
        return run

    async def start(self, run: RunFolder) -> None:
        """Start a detached trainer for a run that was prepared, return as soon as it has it in hand."""
        await self._trainers.start(run)

    async def prepare(self, config: TrainConfig, awaited: bool = False) -> RunFolder:
        """Check `config`, make its run folder for `start`, or for a launcher that is to be `awaited`."""
        config = msgspec.structs.replace(
            config,
            data=str(expanded(config.data).absolute()),
            out=str(expanded(config.out).absolute()) if config.out else None,
        )
        await self.check(config)
        return RunFolder.create(config, prepared=awaited)

    async def resume(self, run: RunFolder) -> RunFolder:
        """Go on with a run that was killed, stopped or has failed, from its last checkpoint.

        Raises:
            UserError: it is being trained, is finished, or has nothing to go on from.
        """
        await self.prepare_again(run)
        await self.start(run)
        return run

    async def prepare_again(self, run: RunFolder) -> None:
        """Check that `run` can be resumed, for whoever starts `core.worker train RUN`.

        Raises:
            UserError: it cannot.
        """
        await asyncio.to_thread(check_resumable, run)
        # The order that ended it is not meant for its new trainer.
        await asyncio.to_thread(run.order, "go")

    async def follow(self, run: RunFolder, skip: int = 0) -> AsyncIterator[Update]:
        """Yield the run's events from the first on, then as they come, until the run is over.

        The first `skip` are left out, for one who has seen them.

        The last update has the last event, or `alive` False where the trainer died without one.
        """
        async for update in follow(run, skip, self._trainers.reap):
            yield update

    async def watch(self, run: RunFolder) -> AsyncIterator[Sight]:
        """Yield what the run's events add up to, as it grows, until the run is over.

        The last has all of it, with `alive` False where the trainer died without an end.
        """
        async for sight in watch(run, self._trainers.reap):
            yield sight

    async def runs(self, data: Path | None = None) -> list[RunSummary]:
        """List the runs, the living first, then the newest first."""
        return await asyncio.to_thread(self._listing.summaries, data)

    async def compare(self, runs: Sequence[RunFolder]) -> Comparison:
        """Hold `runs` against the first of them: settings, results, and what chance may have done."""
        from core.evaluation.compare import compare

        return await asyncio.to_thread(compare, runs)

    async def disk_bytes(self, runs: Sequence[RunFolder]) -> int:
        """Return how much disk deleting `runs` would free."""
        from core.runs.deleting import disk_bytes

        return await asyncio.to_thread(lambda: sum(map(disk_bytes, runs)))

    async def delete(self, run: RunFolder) -> int:
        """Delete the folder of a run that does not live, and nothing else; return the bytes freed."""
        from core.runs.deleting import delete

        return await asyncio.to_thread(delete, run)

    async def epochs(self, reader: EpochReader) -> list[ev.EpochEnded]:
        """Return the epochs that a run has ended so far; `reader` is its own, and knows what it has read."""
        return await asyncio.to_thread(reader.read)

    async def summary(self, run: RunFolder) -> RunSummary | None:
        """Return how `run` stands, None if it is gone."""
        try:
            return await asyncio.to_thread(run.summary)
        except (OSError, msgspec.MsgspecError):
            return None

    async def order(self, run: RunFolder, order: Order, end: bool = False) -> bool:
        """Give a living run an order; return whether its trainer, if it may be, was ended for hearing none.

        Raises:
            UserError: it is not being trained, takes no more orders, or cannot be ended.
        """
        return await asyncio.to_thread(give_order, run, order, end)

    async def preview(self, source: Path | Source, size: int = 48) -> Picture:
        """Read a picture, made to fit `size` x `size`, in a confined process."""
        from core.prediction.classifier import picture_of
        from core.prediction.reading import Reader, Wanted
        from core.prediction.sources import Source

        self._reader = self._reader or Reader()
        single = source if isinstance(source, Source) else Source(str(source))
        read = await self._reader.read(single, Wanted(preview=size))
        return picture_of(read)

    async def model_info(self, model: Path) -> ModelInfo:
        """Read what a model file (or the model of a data folder) says of itself, verified."""
        from core.model.card import model_info

        return await asyncio.to_thread(model_info, expanded(model))

    def classifier(self, model: Path) -> Classifier:
        """Return a classifier for `model`: `async with engine.classifier(path) as c: ...`."""
        from core.prediction.classifier import Classifier

        return Classifier(expanded(model))

    async def demo(
        self, target: Path, images: int = 2000, seed: int = 0
    ) -> AsyncIterator[tuple[int, int]]:
        """Draw the built-in example into the folder `target`, yielding (done, total)."""
        async for said in task("demo", str(target), str(images), str(seed)):
            if "done" in said:
                yield int(said["done"]), int(said["total"])

    async def import_fer2013(
        self, table: Path, target: Path, classes: Sequence[str]
    ) -> AsyncIterator[Progress | Imported]:
        """Turn Kaggle's table of faces into class folders, yielding (done, total) bytes, then the result."""
        from core.dataset.report import Imported

        paths = (str(expanded(path).absolute()) for path in (table, target))
        async for said in told(Imported, "import-fer2013", *paths, *classes, gently=True):
            yield said

    async def doctor(
        self, data: Path, config: TrainConfig | None = None
    ) -> AsyncIterator[Progress | Report]:
        """Examine `data` as training with `config` would, yielding (done, total), at last the report.

        Only what is new or changed is read. Cancelling it ends it at once.
        """
        from core.dataset.report import Report

        folder = str(expanded(data).absolute())
        # The path apart: it may be no text that JSON can hold.
        settings = msgspec.json.encode(
            msgspec.structs.replace(config or TrainConfig(data=""), data="")
        )
        async for said in told(Report, "doctor", folder, settings.decode()):
            yield said

    async def evaluate(
        self, model: Path, data: Path, part: Part = "test"
    ) -> AsyncIterator[Progress | Evaluation]:
        """Have a saved model answer a part of `data`, yielding (done, total), at last what came of it.

        First of the pictures that are read, then of those that are answered. Cancelling it ends it at once.
        """
        from core.evaluation.result import Evaluation

        paths = (str(expanded(path).absolute()) for path in (model, data))
        async for said in told(Evaluation, "evaluate", *paths, part):
            yield said

    async def outcome(self, run: RunFolder) -> Outcome:
        """Return all that there is to report of a run, living or past."""
        from core.evaluation.outcome import outcome

        return await asyncio.to_thread(outcome, run)

    async def costs(self, config: TrainConfig, sizes: Sizes) -> tuple[Costs, Speed | None]:
        """Return what training takes in memory and on disk, and its speed where that is known."""
        from core import speeds

        return await asyncio.to_thread(speeds.look_up, config, sizes)

    async def settings_of(self, run: RunFolder) -> dict[str, Any]:
        """Return the settings of a past run that differ from the defaults."""
        return changed(await asyncio.to_thread(run.config))

    async def measure(self, config: TrainConfig, sizes: Sizes) -> Speed:
        """Time a few steps in a process of its own and keep the result; cancelling it ends it at once.

        Raises:
            UserError: a training runs on the device, it cannot be used, or all is too slow.
        """
        from core import speeds
        from core.costs import Trial

        await asyncio.to_thread(speeds.refuse_busy, config)
        trial = Trial(config=config, sizes=sizes).encoded()
        try:
            async with asyncio.timeout(MEASURE_SECONDS):
                said = [said async for said in task("measure", trial, gently=False)]
        except TimeoutError:
            raise UserError("Not measured: it takes too long.", "Try it when less runs.") from None
        rate = float(said[-1]["result"])
        return await asyncio.to_thread(speeds.keep_rate, config, sizes, rate, "measurement")

    def how_it_died(self, run: RunFolder) -> str:
        """Return what ended the trainer of `run`; only whoever started it knows, for others it is empty."""
        return self._trainers.how_it_died(run)
