"""What each part of the recipe is worth: variants of it, trained side by side on the same pictures.

    python -m benchmarks.ablation DATA [--epochs 36] [--augment strong] [--variants NAME,NAME]
                                  [--seeds 0,1,2] [--device cuda] [--processes 4] [--minutes 90]

Trains on class folders by the program's own loop, once for each variant and seed, and prints its
validation accuracy, the best and the last; the test part is not read. A quarter of the other pictures
validates, more than in a run, so that less is owed to chance. Ends with the mean of each variant, how far
it is from that of `base` on the same seeds, the standard error of that, and a line of JSON. After
`--minutes` no training is begun any more. In `--variants` a semicolon stands for the comma in a name.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from core.config import TrainConfig
from core.dataset import split
from core.dataset.intake import Intake, Plan, take_in
from core.model import alexnet
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints
from core.training import average, batches, device, loop, recipe, run, step
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.learner import Origin
from core.training.loop import train
from core.training.ranks import ALONE
from core.training.run import NoOrders, make_job

BASE = TrainConfig(data="", image_size=128, epochs=36, batch_size=128, augment="strong")
VALIDATED = 0.25


@dataclass(frozen=True)
class Variant:
    """What differs from `BASE` and from the recipe's numbers and functions."""

    settings: dict[str, Any] = field(default_factory=dict)
    changes: tuple[tuple[Any, str, Any], ...] = ()
    augmentation: dict[str, Any] = field(default_factory=dict)
    # Both go evenly from the first epoch's to the last one's.
    dropout: tuple[float, float] | None = None
    sizes: tuple[int, ...] = ()
    erased: float = 0.0  # the largest share of a picture's side that one gray box covers
    mirrored: bool = True


def torchs_start(model: nn.Module) -> None:
    """Draw the weights that torch's layers, and so torchvision's AlexNet, begin with."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()


def as_drawn(model: nn.Module, images: torch.Tensor) -> None:
    """Leave a random start as it is."""


def constant(plan: recipe.Recipe, step: int) -> float:
    """Return the learning rate: warm-up, then the same to the end."""
    return plan.learning_rate * min(1.0, (step + 1) / max(recipe.WARM_UP * plan.steps, 1))


def triangle(plan: recipe.Recipe, step: int) -> float:
    """Return the learning rate: as the recipe's one cycle, but down to zero by a straight line."""
    down = (plan.steps - step) / ((1 - recipe.WARM_UP) * plan.steps)
    return min(constant(plan, step), plan.learning_rate * down)


def unfolded(model: nn.Module, image_size: int) -> float:
    """Leave the first dense layer as it is, which takes pictures of any size."""
    return 1.0


UNRECORDED = (device, "LEAST_REPLAYED", math.inf)
VARIANTS = {
    "base": Variant(),
    "torch's start": Variant(
        changes=((alexnet, "initialise", torchs_start), (alexnet, "calibrate", as_drawn))
    ),
    "He's start, not calibrated": Variant(changes=((alexnet, "calibrate", as_drawn),)),
    "no warm-up": Variant(changes=((recipe, "WARM_UP", 0.0),)),
    "warm-up of a fifth": Variant(changes=((recipe, "WARM_UP", 0.2),)),
    "constant rate": Variant(changes=((loop, "learning_rate", constant),)),
    "straight line to zero": Variant(changes=((loop, "learning_rate", triangle),)),
    "twice the rate": Variant({"learning_rate": 1e-3}),
    "half the rate": Variant({"learning_rate": 2.5e-4}),
    "no decay": Variant(changes=((recipe, "WEIGHT_DECAY", 0.0),)),
    "decay 0.2": Variant(changes=((recipe, "WEIGHT_DECAY", 0.2),)),
    "no smoothing": Variant(changes=((step, "LABEL_SMOOTHING", 0.0),)),
    "smoothing 0.2": Variant(changes=((step, "LABEL_SMOOTHING", 0.2),)),
    "dropout 0": Variant(dropout=(0.0, 0.0)),
    "dropout 0.3": Variant(dropout=(0.3, 0.3)),
    "dropout 0 to 0.5": Variant(changes=(UNRECORDED,), dropout=(0.0, 0.5)),
    "dropout 0.5 to 0": Variant(changes=(UNRECORDED,), dropout=(0.5, 0.0)),
    "96 then 128": Variant(changes=(UNRECORDED, (run, "fold", unfolded)), sizes=(96, 128)),
    "64 then 96 then 128": Variant(
        changes=(UNRECORDED, (run, "fold", unfolded)), sizes=(64, 96, 128)
    ),
    "no average": Variant(changes=((average, "WINDOW", 1e-9),)),
    "not mirrored": Variant(mirrored=False),
    "augment none": Variant({"augment": "none"}),
    "augment light": Variant({"augment": "light"}),
    "augment strong": Variant({"augment": "strong"}),
    "stronger": Variant(augmentation={"shift": 0.15, "scale": 0.3, "turn": 25.0, "light": 0.5}),
    "erased 0.5": Variant(erased=0.5),
    "batches of 64": Variant({"batch_size": 64}),
    "batches of 256": Variant({"batch_size": 256}),
    "64 pixels": Variant({"image_size": 64}),
    "96 pixels": Variant({"image_size": 96}),
    "160 pixels": Variant({"image_size": 160}),
    "224 pixels": Variant({"image_size": 224}),
    "fp32": Variant({"precision": "fp32"}),
}


def erased(whole: Iterator[batches.Batch], share: float) -> Iterator[batches.Batch]:
    """Yield batches with a box in each picture, anywhere and of any shape, of the mean colour."""
    for batch in whole:
        count, side = len(batch.labels), batch.images.shape[-1]
        where = batch.images.device
        half = torch.rand(2, count, 1, device=where) * share * side / 2
        middle = torch.rand(2, count, 1, device=where) * side
        inside = (torch.arange(side, device=where) - middle).abs() < half
        box = inside[0, :, None, :, None] & inside[1, :, None, None, :]
        yield batch._replace(images=batch.images.masked_fill(box, 0.0))


def taken_in(config: TrainConfig) -> Intake:
    """Return the pictures, decoded once for each size, and their deal."""
    split.VALIDATION_FRACTION = VALIDATED
    data = Path(config.data)
    return take_in(data, config.image_size, Plan.of(config), lambda _: None, lambda *_: None)


@contextmanager
def changed(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Have attributes of modules and classes be something else for as long as the context lasts."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def shuffled(variant: Variant, job: loop.Job) -> Callable[..., Iterator[batches.Batch]]:
    """Return what makes an epoch's batches, after dropout and the size of the pictures have been set for it."""
    drops = [module for module in job.model.modules() if isinstance(module, nn.Dropout)]
    make, epochs = batches.Part.shuffled, job.config.epochs

    def varied(
        part: batches.Part, size: int, how: Any, seed: int, epoch: int, *words: Any
    ) -> Iterator[batches.Batch]:
        done = (epoch - 1) / max(epochs - 1, 1)
        if variant.dropout:
            first, last = variant.dropout
            for module in drops:
                module.p = first + done * (last - first)
        if variant.sizes:
            now = variant.sizes[(epoch - 1) * len(variant.sizes) // epochs]
            part.spec = msgspec.structs.replace(part.spec, image_size=now)
        made = make(part, size, how, seed, epoch, *words)
        return erased(made, variant.erased) if variant.erased else made

    return varied


def trained(
    data: Path, base: TrainConfig, end: float, name: str, seed: int
) -> dict[str, Any] | None:
    """Train variant `name` with `seed`; return its validation accuracies, best and last, and its seconds.

    After the time `end` nothing is begun, and None is returned.
    """
    if time.time() > end:
        return None
    variant = VARIANTS[name]
    settings = {**variant.settings, "data": str(data), "seed": seed}
    config = msgspec.structs.replace(base, **settings)
    usual = batches.AUGMENTATIONS[config.augment]
    how = batches.AUGMENTATIONS | {config.augment: replace(usual, **variant.augmentation)}
    where = device.choose(config.device)
    precision = device.precision(config.precision, where)
    intake = taken_in(config)
    words = (config, intake.pictures, intake.dealt.manifest, where, precision)
    epochs: list[float] = []

    def say(event: ev.Event) -> None:
        if isinstance(event, ev.EpochEnded):
            epochs.append(event.validation_accuracy)

    origin = Origin(device="", precision="", versions={}, split_hash="", channels=3, stored_size=1)
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(changed(*variant.changes, (loop, "AUGMENTATIONS", how)))
        job, _ = make_job(*words, numbers=None, ranks=ALONE, slower=1.0, say=lambda _: None)
        stack.enter_context(changed((batches.Part, "shuffled", shuffled(variant, job))))
        seen = job.validation.spec
        mirrored = seen.mirrored and variant.mirrored
        job.validation.spec = msgspec.structs.replace(seen, mirrored=mirrored)
        saver = Saver(
            *(Checkpoints(folder), origin, job.recipe, say), began=began, seconds=math.inf
        )
        train(job, BestKeeper(lambda state, epoch: None), NoOrders(), saver, say)
        saver.close()
    return {
        "variant": name,
        "seed": seed,
        "best": max(epochs),
        "last": epochs[-1],
        "seconds": time.monotonic() - began,
        "epochs": [round(accuracy, 4) for accuracy in epochs],
    }


def means(
    found: list[dict[str, Any]], names: list[str]
) -> tuple[dict[str, dict[str, Any]], float | None]:
    """Return each variant's mean accuracies, how far its last are from those of `base` seed by seed, and
    one standard error of that: of all variants alike, since a few seeds tell little of a single one's.
    """
    last = {(one["variant"], one["seed"]): one["last"] for one in found}
    table, variances = {}, []
    for name in names:
        mine = [one for one in found if one["variant"] == name]
        apart = [
            one["last"] - last["base", one["seed"]] for one in mine if ("base", one["seed"]) in last
        ]
        if mine:
            table[name] = {
                "best": statistics.fmean(one["best"] for one in mine),
                "last": statistics.fmean(one["last"] for one in mine),
                "n": len(mine),
                "apart": statistics.fmean(apart) if apart else None,
            }
        if name != "base" and len(apart) > 1:
            variances.append(statistics.variance(apart) / len(apart))
    return table, math.sqrt(statistics.fmean(variances)) if variances else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--variants", default=",".join(n.replace(",", ";") for n in VARIANTS))
    parser.add_argument("--epochs", type=int, default=BASE.epochs)
    parser.add_argument("--augment", default=BASE.augment)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf)
    chosen = parser.parse_args()
    names = [name.replace(";", ",") for name in chosen.variants.split(",")]
    work = [(name, int(seed)) for seed in chosen.seeds.split(",") for name in names]
    data = str(chosen.data.absolute())
    settings = {"epochs": chosen.epochs, "augment": chosen.augment, "device": chosen.device}
    base = msgspec.structs.replace(BASE, data=data, **settings)
    for size in {VARIANTS[name].settings.get("image_size", BASE.image_size) for name in names}:
        taken_in(msgspec.structs.replace(base, image_size=size))
    end = time.time() + 60 * chosen.minutes
    found: list[dict[str, Any]] = []
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, fresh) as pool:
        waiting = {
            pool.submit(trained, chosen.data.absolute(), base, end, *words) for words in work
        }
        for done in as_completed(waiting):
            if error := done.exception():
                print(f"one has failed: {error}", file=sys.stderr, flush=True)
                continue
            if (one := done.result()) is None:
                continue
            found.append(one)
            line = "{variant:<26} {seed:>3} {best:.2%} {last:.2%} {seconds:.0f} s"
            print(line.format(**found[-1]), flush=True)
    table, spread = means(found, names)
    within = "" if spread is None else f", ± {spread:.2%}"
    print(f"{'variant':<26} {'best':>7} {'last':>7} {'n':>3} {f'apart{within}':>16}")
    for name, one in table.items():
        apart = "" if one["apart"] is None else f"{one['apart']:>+16.2%}"
        print(f"{name:<26} {one['best']:>7.2%} {one['last']:>7.2%} {one['n']:>3} {apart}")
    print(json.dumps({"benchmark": "ablation", "means": table, "error": spread, "runs": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
