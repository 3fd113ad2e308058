"""One measurement of the engine in a process of its own, pinned to one core on a CPU; prints a line of JSON.

    python -m benchmarks.engine_step WHAT DATA [--size 224] [--batch 64] [--device cpu]

WHAT is `bare` (one batch at the device, forward, backward, SGD and nothing else: the ceiling of who
trains torchvision's network), `bare-folded` (the same with the folded layer), `forward`, `ours` (the
program's own loop, from the second epoch on), `beside` (`ours` and `bare` by turns, a step of each),
`whole` (a run from its folder to its certificate), `pipeline` (the program's batches without a step),
`seed` and `seed-pipeline` (what a plain script does: Pillow and transforms for each picture, in each
epoch). Several, with commas between them, are done one after the other and printed together.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn

from core import costs
from core.config import TrainConfig
from core.dataset.intake import Plan, take_in
from core.model import alexnet as ours
from core.model.card import Preprocessing
from core.model.folded import fold
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints
from core.runs.folder import RunFolder
from core.training import device, recipe
from core.training.batches import AUGMENTATIONS, Batch, Part
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.learner import Origin
from core.training.loop import Job, train
from core.training.run import Commands, NoOrders, execute

CLASSES = 2
MEASURED_IMAGES = 256
# A GPU is through with a few hundred pictures before a clock could tell: its epoch has at least so many.
ON_GPU = 10_000
EPOCHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what")
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = parser.parse_args()
    if unknown := set(chosen.what.split(",")) - set(MEASUREMENTS):
        parser.error(f"no measurement: {', '.join(sorted(unknown))}")
    if chosen.device == "cpu":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    found = []
    for what in chosen.what.split(","):
        found.append(MEASUREMENTS[what](argparse.Namespace(**vars(chosen) | {"what": what})))
        # The next one is to find as much memory as this one did.
        gc.collect()
        torch.cuda.empty_cache()
    print(json.dumps(found[0] if len(found) == 1 else {"found": found}))


class Clock:
    """Wall and CPU seconds of this process and its ended children since it was made."""

    def __init__(self, where: torch.device) -> None:
        self._where = where
        self._began = self._now()

    def images(self, count: int) -> dict[str, float]:
        """Return what `count` pictures took."""
        wall, cpu = (now - began for now, began in zip(self._now(), self._began, strict=True))
        return {"images": count, "wall": wall, "cpu": cpu}

    def _now(self) -> tuple[float, float]:
        if self._where.type == "cuda":
            torch.cuda.synchronize(self._where)
        spent = os.times()
        return time.perf_counter(), sum(spent[:4])


def bare(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure the step alone, in the precision that the device gets from us."""
    where = device.choose(chosen.device)
    step = _bare_step(chosen, where)
    return _timed(lambda: step(chosen.batch), chosen, where)


def _bare_step(chosen: argparse.Namespace, where: torch.device) -> Callable[[int], None]:
    """Return the step alone, on as many pictures as it is told."""
    precision = device.precision("auto", where)
    model, images, labels = _resident(chosen, where)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step(count: int) -> None:
        optimizer.zero_grad()
        with device.autocast(where, precision):
            loss = F.cross_entropy(model(images[:count]), labels[:count])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def forward(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure what evaluation has to do at least."""
    where = device.choose(chosen.device)
    model, images, _ = _resident(chosen, where)
    model.eval()

    def step() -> None:
        with torch.inference_mode():
            model(images)

    return _timed(step, chosen, where)


def _resident(chosen: argparse.Namespace, where: torch.device) -> tuple[nn.Module, Tensor, Tensor]:
    model: nn.Module = _torchvisions()
    if chosen.what == "bare-folded":
        model = network = ours.build(CLASSES)
        fold(network, chosen.size)
    model = model.to(where).train()
    images = torch.randn(chosen.batch, 3, chosen.size, chosen.size, device=where)
    labels = torch.randint(0, CLASSES, (chosen.batch,), device=where)
    return model, images, labels


def _torchvisions() -> Any:
    # Only where it is measured: it takes 160 MB, of which the program's own trainer has none.
    from torchvision.models import alexnet

    return alexnet(weights=None, num_classes=CLASSES)


def _timed(
    step: Callable[[], None], chosen: argparse.Namespace, where: torch.device
) -> dict[str, float]:
    least = MEASURED_IMAGES if where.type == "cpu" else 6 * ON_GPU
    step()
    clock, done = Clock(where), 0
    while done < least:
        step()
        done += chosen.batch
    return clock.images(done)


def pipeline(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure the program's batches alone, augmented and normalised, from the second epoch on."""
    part, where = _part(chosen)
    for _ in part.shuffled(chosen.batch, AUGMENTATIONS["light"], 0, 1):
        pass
    clock, epochs = Clock(where), 5
    for epoch in range(2, 2 + epochs):
        for _ in part.shuffled(chosen.batch, AUGMENTATIONS["light"], 0, epoch):
            pass
    return clock.images(epochs * len(part))


def seed_pipeline(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure the plain script's loader alone."""
    files, where = _files(chosen.data), torch.device(chosen.device)
    clock = Clock(where)
    for _ in plain_batches(files, chosen.size, chosen.batch, where):
        pass
    return clock.images(len(files))


def seed(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure the plain script: load, step, look at the loss."""
    where = device.choose(chosen.device)
    model = _torchvisions().to(where).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    files = _files(chosen.data)
    clock = Clock(where)
    for images, labels in plain_batches(files, chosen.size, chosen.batch, where):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
    return clock.images(len(files))


def train_ours(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure the program's loop on all pictures of the folder, from the second epoch on.

    Validation has two pictures: it is no part of the bare step, and `whole` measures it.
    """
    part, where = _part(chosen, least=ON_GPU if chosen.device != "cpu" else 0)
    epochs = 3 if where.type == "cpu" else 7
    clocks: list[Clock] = []
    taken: dict[str, float] = {}

    def say(event: ev.Event) -> None:
        if isinstance(event, ev.EpochEnded):
            clocks.append(Clock(where))
            if event.epoch == epochs:
                taken.update(clocks[0].images((epochs - 1) * len(part)))

    _train(chosen, part, where, epochs, say)
    return taken


def beside(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure the program's loop and the bare step by turns, a step of each, in each epoch from the second on.

    What the machine gives changes from one minute to the next by more than what is to be told.
    """
    part, where = _part(chosen)
    bare_step, spent, marks = _bare_step(chosen, where), [0.0], list[tuple[float, float]]()
    make = part.shuffled

    def shuffled(*words: Any) -> Iterator[Batch]:
        for batch in make(*words):
            yield batch
            began = time.process_time()
            bare_step(len(batch.labels))
            spent[0] += time.process_time() - began

    part.shuffled = shuffled  # type: ignore[assignment]

    def say(event: ev.Event) -> None:
        if isinstance(event, ev.EpochEnded):
            marks.append((time.process_time(), spent[0]))

    _train(chosen, part, where, chosen.epochs + 1, say)
    found = []
    for (before, bare_before), (after, bare_after) in pairwise(marks):
        theirs = bare_after - bare_before
        found.append(theirs / (after - before - theirs))
    return {"ratios": found}


def _train(
    chosen: argparse.Namespace,
    part: Part,
    where: torch.device,
    epochs: int,
    say: Callable[[ev.Event], None],
) -> None:
    """Train by the program's own loop."""
    config = TrainConfig(
        data=str(chosen.data), epochs=epochs, image_size=chosen.size, batch_size=chosen.batch
    )
    model = ours.build(CLASSES)
    copies = fold(model, chosen.size)
    plan = recipe.plan(config, len(part), where)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            config=config,
            recipe=plan,
            model=device.placed(model, where),
            copies=copies,
            weights=torch.ones(CLASSES, device=where),
            train=part,
            validation=_part(chosen, 2)[0],
            device=where,
            precision=device.precision("auto", where),
            probes=lambda _: [],
        )
        origin = Origin(
            device="", precision="", versions={}, split_hash="", channels=3, stored_size=1
        )
        # What checkpoints cost is a figure of its own, by `whole`.
        began = time.monotonic()
        saver = Saver(Checkpoints(Path(folder)), origin, plan, say, began=began, seconds=math.inf)
        train(job, BestKeeper(lambda state, epoch: None), NoOrders(), saver, say)
        saver.close()


def whole(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure a run from its folder to its certificate, with all that it writes."""
    where, began = torch.device(chosen.device), time.perf_counter()
    found: dict[str, Any] = {"saying": 0.0, "checkpoints": 0.0, "first": {}, "last": {}}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALEXNET_TUI_RUNS"] = os.environ["XDG_CACHE_HOME"] = folder
        config = TrainConfig(
            data=str(chosen.data),
            epochs=chosen.epochs,
            image_size=chosen.size,
            batch_size=chosen.batch,
            device=chosen.device,
            out=str(Path(folder) / "model.safetensors"),
        )
        run = RunFolder.create(config)
        clock = Clock(where)
        with run.writer() as log:

            def say(event: ev.Event) -> None:
                spoke = time.perf_counter()
                if not isinstance(event, ev.Step):
                    name = type(event).__name__
                    found["last"][name] = round(spoke - began, 2)
                    found["first"].setdefault(name, found["last"][name])
                log.write(event, sync=isinstance(event, ev.SAFE) or ev.is_last(event))
                found["saying"] += time.perf_counter() - spoke
                if isinstance(event, ev.Checkpointed):
                    found["checkpoints"] += event.cost
                elif isinstance(event, ev.DatasetReady):
                    for part in ("train", "validation", "test"):
                        found[part] = sum(getattr(event, part))
                    found["pixels"] = sum(found[p] for p in ("train", "validation", "test")) * (
                        event.channels * event.stored_size**2
                    )

            execute(run, config, run.checkpoints(), None, say, Commands(run.orders()))
    taken = clock.images(chosen.epochs * found["train"])
    # The interpreter and its libraries count too.
    taken |= {"cpu": sum(os.times()[:4]), "wall": time.perf_counter() - began}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found | taken | {"peak_bytes": peak}


def _part(
    chosen: argparse.Namespace, limit: int | None = None, least: int = 0
) -> tuple[Part, torch.device]:
    """Return the pictures of the folder as the program holds them: at most `limit`, or again and again."""
    where = device.choose(chosen.device)
    if chosen.device == "cpu":
        torch.set_num_threads(1)
    plan = Plan(split=80, seed=0, group=None)
    store = take_in(chosen.data, chosen.size, plan, lambda _: None, lambda *_: None).pictures
    rows = list(range(len(store.members)))[:limit]
    rows *= math.ceil(max(least, 1) / len(rows))
    labels = [store.members[row].label for row in rows]
    spec = Preprocessing(
        stored_size=store.stored_size, channels=store.channels, image_size=chosen.size
    )
    tier = costs.tier("auto", store.pixels.nbytes, device.free_memory(where))
    return Part(store.pixels, rows, labels, spec, where, tier), where


def _files(data: Path) -> list[tuple[Path, int]]:
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    return [(path, k) for k, folder in enumerate(folders) for path in sorted(folder.iterdir())]


def plain_batches(
    files: list[tuple[Path, int]], size: int, batch: int, where: torch.device, flip: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches as a plain script makes them: Pillow, one picture after the other."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    short = 256 * size // 224
    for picks in torch.randperm(len(files)).split(batch):  # type: ignore[no-untyped-call]
        images, labels = [], []
        for pick in picks.tolist():
            path, label = files[pick]
            image = Image.open(path).convert("RGB")
            factor = short / min(image.size)
            wanted = round(image.width * factor), round(image.height * factor)
            image = ImageOps.fit(image.resize(wanted, Image.Resampling.BILINEAR), (size, size))
            if flip and torch.rand(()) < 0.5:
                image = ImageOps.mirror(image)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)
            images.append((pixels - mean) / std)
            labels.append(label)
        yield torch.stack(images).to(where), torch.tensor(labels).to(where)


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "bare": bare,
    "bare-folded": bare,
    "forward": forward,
    "ours": train_ours,
    "beside": beside,
    "whole": whole,
    "pipeline": pipeline,
    "seed": seed,
    "seed-pipeline": seed_pipeline,
}

if __name__ == "__main__":
    main()
