"""The async face of core: all that a screen or a command asks for. It never imports torch.

Every method raises `core.errors.UserError` for what a person can mend.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from core import machine
from core.config import TrainConfig
from core.dataset import folder
from core.dataset.folder import SUFFIXES, ClassCount, Inspection
from core.dataset.report import Finding, Imported, Report
from core.dataset.split import planned_parts
from core.dataset.walk import LeftOutFile
from core.errors import UserError
from core.files import expanded
from core.machine import Device
from core.model.card import ModelInfo, model_info
from core.prediction.classifier import Answer, Classifier, Picture, picture_of
from core.prediction.reading import Reader, Wanted
from core.prediction.sources import Refusal, Source, is_many
from core.prediction.sources import shown as shown_source
from core.prediction.table import save_table
from core.processes import worker_command, worker_environment
from core.runs import events as ev
from core.runs.folder import Order, RunFolder, RunSummary
from core.runs.log import EventReader
from core.runs.resuming import check_resumable
from core.text import safe_text

__all__ = [
    "SUFFIXES",
    "Answer",
    "ClassCount",
    "Classifier",
    "Device",
    "Engine",
    "Finding",
    "Imported",
    "Inspection",
    "LeftOutFile",
    "ModelInfo",
    "Picture",
    "Refusal",
    "Report",
    "Source",
    "Update",
    "is_many",
    "planned_parts",
    "save_table",
    "shown_source",
]

POLL_SECONDS = 0.2
_DEATHS: dict[int, str] = {
    signal.SIGKILL: "killed, probably because memory ran out",
    signal.SIGSEGV: "crashed: segmentation fault",
    signal.SIGBUS: "crashed: bus error",
    signal.SIGABRT: "crashed: aborted",
}
# A sign of life comes at least so often, also while nothing is said.
LIFE_SECONDS = 2.0
# A report names every file that was left out, on one line.
LINE_BYTES = 256 * 2**20

TERMINATE_SECONDS = 3.0

Progress = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Update:
    """New events of a run, and whether its trainer lives; one without events is a sign of life."""

    events: list[ev.AnyEvent]
    alive: bool


class Engine:
    """Inspect, train, follow, control, classify."""

    def __init__(self) -> None:
        # Trainers that this process started: kept so that a dead one is reaped, never a zombie.
        self._trainers: dict[Path, subprocess.Popen[bytes]] = {}
        # Started by the first preview.
        self._reader = Reader()

    async def close(self) -> None:
        """End what was started for this engine alone; trainings go on."""
        await self._reader.close()

    async def devices(self) -> list[Device]:
        """Return what there is to train on: the GPUs, or the processor."""
        return await asyncio.to_thread(machine.devices)

    async def inspect(self, data: Path) -> Inspection:
        """Look at `data` (names only, in a thread that ends when this is cancelled); never raises."""
        cancelled = threading.Event()

        def on_progress(_: int) -> None:
            if cancelled.is_set():
                raise UserError("Cancelled.", "")

        try:
            return await asyncio.to_thread(folder.inspect, expanded(data), on_progress)
        finally:
            cancelled.set()

    async def check(self, config: TrainConfig) -> None:
        """Raise what stands against training with `config` and can be told without torch."""
        config.check()
        inspection = await self.inspect(Path(config.data))
        if inspection.problem:
            raise inspection.problem
        if config.device.startswith("cuda") and not await asyncio.to_thread(machine.gpus):
            raise UserError(
                "No usable GPU was found on this machine.",
                "Leave --device out to train on the CPU, or look at nvidia-smi.",
            )
        target = config.model_file()
        if target.exists() and not (target.is_file() and target.suffix == ".safetensors"):
            raise UserError(
                f"{safe_text(target)} is there already and is no model file.",
                "Name another place for the model: --out FILE.safetensors",
            )
        if not os.access(target.parent, os.W_OK):
            raise UserError(
                f"The model cannot be written to {safe_text(target.parent)}.",
                "Name another place for it: --out FILE",
            )

    async def train(self, config: TrainConfig) -> RunFolder:
        """Check `config`, start a detached trainer, return as soon as it has its run in hand."""
        config = msgspec.structs.replace(
            config,
            data=str(expanded(config.data).absolute()),
            out=str(expanded(config.out).absolute()) if config.out else None,
        )
        await self.check(config)
        run = RunFolder.create(config)
        try:
            await self._start(run)
        except asyncio.CancelledError:
            # Nobody knows of this run yet: it would train on unseen.
            self._trainers[run.path].kill()
            raise
        return run

    async def resume(self, run: RunFolder) -> RunFolder:
        """Go on with a run that was killed, stopped or has failed, from its last checkpoint.

        Raises:
            UserError: it is being trained, is finished, or has nothing to go on from.
        """
        await asyncio.to_thread(check_resumable, run)
        # The order that ended it is not meant for its new trainer.
        await asyncio.to_thread(run.order, "go")
        await self._start(run)
        return run

    async def _start(self, run: RunFolder) -> None:
        """Start a detached trainer, return as soon as it has `run` in hand."""
        size = run.log_size()
        with run.worker_log.open("ab") as log:
            trainer = subprocess.Popen(
                worker_command("train", str(run.path)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(),
                start_new_session=True,
            )
        self._trainers[run.path] = trainer
        while run.log_size() == size:
            if trainer.poll() is not None:
                raise UserError(
                    f"The trainer did not start (exit code {trainer.returncode}).",
                    f"It said: {safe_text(run.last_words(3), 300)}",
                )
            await asyncio.sleep(0.02)

    async def follow(self, run: RunFolder, skip: int = 0) -> AsyncIterator[Update]:
        """Yield the run's events from the first on, then as they come, until the run is over.

        The first `skip` are left out, for one who has seen them.

        The last update has the last event, or `alive` False where the trainer died without one.
        """
        reader = run.reader()
        loop = asyncio.get_running_loop()
        said = float("-inf")
        ended = False
        while True:
            self._reap()
            alive, read = await asyncio.to_thread(_look, run, reader)
            events, skip = read[skip:], max(skip - len(read), 0)
            if read:
                # What looks like the end may be one that the run was resumed from.
                ended = ev.is_last(read[-1])
            if events or not alive or loop.time() - said >= LIFE_SECONDS:
                said = loop.time()
                yield Update(events=events, alive=alive and not ended)
            if not read and (ended or not alive):
                return
            await asyncio.sleep(0 if read else POLL_SECONDS)

    async def runs(self, data: Path | None = None) -> list[RunSummary]:
        """List the runs, the living first, then the newest first."""
        return await asyncio.to_thread(_summaries, data)

    async def order(self, run: RunFolder, order: Order) -> None:
        """Give a living run an order."""
        if not await asyncio.to_thread(run.alive):
            raise UserError(
                f"The run {run.name} is not being trained.", "Orders go to living runs only."
            )
        await asyncio.to_thread(run.order, order)

    async def preview(self, source: Path | Source, size: int = 48) -> Picture:
        """Read a picture, made to fit `size` x `size`, in a confined process."""
        single = source if isinstance(source, Source) else Source(str(source))
        read = await self._reader.read(single, Wanted(preview=size))
        return picture_of(read)

    async def model_info(self, model: Path) -> ModelInfo:
        """Read what a model file (or the model of a data folder) says of itself, verified."""
        return await asyncio.to_thread(model_info, expanded(model))

    def classifier(self, model: Path) -> Classifier:
        """Return a classifier for `model`: `async with engine.classifier(path) as c: ...`."""
        return Classifier(expanded(model))

    async def demo(
        self, target: Path, images: int = 2000, seed: int = 0
    ) -> AsyncIterator[tuple[int, int]]:
        """Draw the built-in example into the folder `target`, yielding (done, total)."""
        async for said in _task("demo", str(target), str(images), str(seed)):
            if "done" in said:
                yield int(said["done"]), int(said["total"])

    async def import_fer2013(
        self, table: Path, target: Path, classes: Sequence[str]
    ) -> AsyncIterator[Progress | Imported]:
        """Turn Kaggle's table of faces into class folders, yielding (done, total) bytes, then the result."""
        paths = (str(expanded(path).absolute()) for path in (table, target))
        async for said in _task("import-fer2013", *paths, *classes):
            if "done" in said:
                yield int(said["done"]), int(said["total"])
            else:
                yield msgspec.convert(said["result"], Imported)

    async def doctor(
        self, data: Path, config: TrainConfig | None = None
    ) -> AsyncIterator[Progress | Report]:
        """Examine `data` as training with `config` would, yielding (done, total), at last the report.

        Only what is new or changed is read. Cancelling it ends it at once.
        """
        folder = expanded(data).absolute()
        config = config or TrainConfig(data=str(folder))
        plan = [str(config.split), str(config.seed), *([config.group] if config.group else [])]
        words = ("doctor", str(folder), str(config.image_size), *plan)
        async for said in _task(*words, gently=False):
            if "done" in said:
                yield int(said["done"]), int(said["total"])
            else:
                yield msgspec.convert(said["result"], Report)

    def how_it_died(self, run: RunFolder) -> str:
        """Return what ended the trainer of `run`; only whoever started it knows, for others it is empty."""
        trainer = self._trainers.get(run.path)
        code = trainer.poll() if trainer else None
        if code is None or code >= 0:
            return ""
        return _DEATHS.get(-code, f"killed by signal {-code}")

    def _reap(self) -> None:
        for trainer in self._trainers.values():
            trainer.poll()


def _look(run: RunFolder, reader: EventReader) -> tuple[bool, list[ev.AnyEvent]]:
    # Asked before reading: what a trainer wrote before it died must not be missed.
    alive = run.alive()
    return alive, reader.read()


async def _task(*words: str, gently: bool = True) -> AsyncIterator[dict[str, Any]]:
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


def _summaries(data: Path | None) -> list[RunSummary]:
    found = []
    for run in RunFolder.all(data):
        try:
            found.append(run.summary())
        except (OSError, msgspec.MsgspecError):
            # Deleted since it was listed.
            continue
    return sorted(found, key=lambda run: not run.alive)
