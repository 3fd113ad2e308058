"""What each part of the recipe is worth: variants of it, trained side by side on the same pictures.

    python -m benchmarks.ablation DATA [--variants NAME,NAME] [--seeds 0,1,2] [--device cuda]
                                  [--processes 4] [--minutes 90]

Trains on class folders by the program's own loop, once for each variant and seed, and prints its best
validation accuracy; the test part is not read. Ends with the mean of each variant and a line of JSON.
After `--minutes` no training is begun any more. In `--variants` a semicolon stands for the comma in a name.
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
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from core.config import TrainConfig
from core.dataset.intake import Intake, Plan, take_in
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints
from core.training import average, batches, device, recipe, step
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.learner import Origin
from core.training.loop import train
from core.training.ranks import ALONE
from core.training.run import NoOrders, make_job

BASE = TrainConfig(data="", image_size=128, epochs=36, batch_size=128, augment="strong")


@dataclass(frozen=True)
class Variant:
    """What differs from `BASE` and from the recipe's numbers."""

    settings: dict[str, Any] = field(default_factory=dict)
    numbers: tuple[tuple[Any, str, float], ...] = ()
    dropout: float | None = None
    augmentation: dict[str, Any] = field(default_factory=dict)
    erased: float = 0.0  # the largest share of a picture's side that one gray box covers


VARIANTS = {
    "base": Variant(),
    "96, 36 epochs": Variant({"image_size": 96}),
    "96, 64 epochs": Variant({"image_size": 96, "epochs": 64}),
    "96, 100 epochs": Variant({"image_size": 96, "epochs": 100}),
    "64, 100 epochs": Variant({"image_size": 64, "epochs": 100}),
    "128, 18 epochs": Variant({"epochs": 18}),
    "128, 60 epochs": Variant({"epochs": 60}),
    "160, 24 epochs": Variant({"image_size": 160, "epochs": 24}),
    "160, 36 epochs": Variant({"image_size": 160}),
    "224, 36 epochs": Variant({"image_size": 224}),
    "light": Variant({"augment": "light"}),
    "stronger": Variant(augmentation={"shift": 0.15, "scale": 0.3, "turn": 25.0, "light": 0.5}),
    "erased 0.5": Variant(erased=0.5),
    "batches of 64": Variant({"batch_size": 64}),
    "batches of 256": Variant({"batch_size": 256}),
    "twice the rate": Variant({"learning_rate": 1e-3}),
    "half the rate": Variant({"learning_rate": 2.5e-4}),
    "decay 0.1": Variant(numbers=((recipe, "WEIGHT_DECAY", 0.1),)),
    "decay 0.01": Variant(numbers=((recipe, "WEIGHT_DECAY", 0.01),)),
    "no smoothing": Variant(numbers=((step, "LABEL_SMOOTHING", 0.0),)),
    "smoothing 0.2": Variant(numbers=((step, "LABEL_SMOOTHING", 0.2),)),
    "dropout 0.3": Variant(dropout=0.3),
    "dropout 0.7": Variant(dropout=0.7),
    "no average": Variant(numbers=((average, "WINDOW", 1e-9),)),
    "warm-up of a fifth": Variant(numbers=((recipe, "WARM_UP", 0.2),)),
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
    data = Path(config.data)
    return take_in(data, config.image_size, Plan.of(config), lambda _: None, lambda *_: None)


def trained(data: Path, wanted: str, name: str, seed: int) -> dict[str, Any]:
    """Train variant `name` with `seed`; return its validation accuracies, best and last, and its seconds."""
    variant = VARIANTS[name]
    for module, constant, value in variant.numbers:
        setattr(module, constant, value)
    settings = {**variant.settings, "data": str(data), "seed": seed, "device": wanted}
    config = msgspec.structs.replace(BASE, **settings)
    usual = batches.AUGMENTATIONS[config.augment]
    batches.AUGMENTATIONS[config.augment] = replace(usual, **variant.augmentation)
    where = device.choose(config.device)
    precision = device.precision(config.precision, where)
    intake = taken_in(config)
    words = (config, intake.pictures, intake.dealt.manifest, where, precision)
    job, _ = make_job(*words, numbers=None, ranks=ALONE, slower=1.0, say=lambda _: None)
    for module in job.model.modules():
        if variant.dropout is not None and isinstance(module, nn.Dropout):
            module.p = variant.dropout
    if variant.erased:
        whole = batches.Part.shuffled

        def shuffled(*words: Any, **named: Any) -> Iterator[batches.Batch]:
            return erased(whole(*words, **named), variant.erased)

        setattr(batches.Part, "shuffled", shuffled)  # noqa: B010  # as the recipe's numbers are
    epochs: list[float] = []

    def say(event: ev.Event) -> None:
        if isinstance(event, ev.EpochEnded):
            epochs.append(event.validation_accuracy)

    origin = Origin(device="", precision="", versions={}, split_hash="", channels=3, stored_size=1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        store_of = Checkpoints(Path(folder))
        saver = Saver(store_of, origin, job.recipe, say, began=began, seconds=math.inf)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--variants", default=",".join(n.replace(",", ";") for n in VARIANTS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf)
    chosen = parser.parse_args()
    names = [name.replace(";", ",") for name in chosen.variants.split(",")]
    work = [(name, int(seed)) for seed in chosen.seeds.split(",") for name in names]
    one = partial(trained, chosen.data.absolute(), chosen.device)
    for size in {VARIANTS[name].settings.get("image_size", BASE.image_size) for name in names}:
        taken_in(msgspec.structs.replace(BASE, data=str(chosen.data.absolute()), image_size=size))
    end = time.monotonic() + 60 * chosen.minutes
    found: list[dict[str, Any]] = []
    # A process for each training: what a variant changes is gone with it.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, fresh, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(one, *words) for words in work}
        for done in as_completed(waiting):
            if done.cancelled():
                continue
            if error := done.exception():
                print(f"one has failed: {error}", file=sys.stderr, flush=True)
                continue
            found.append(done.result())
            print(
                "{variant:<20} {seed:>3} {best:.2%} {last:.2%} {seconds:.0f} s".format(**found[-1])
            )
            sys.stdout.flush()
            if time.monotonic() > end:
                for other in waiting:
                    other.cancel()
    means = {}
    for name in names:
        best = [one["best"] for one in found if one["variant"] == name]
        last = [one["last"] for one in found if one["variant"] == name]
        if best:
            means[name] = statistics.fmean(best)
            print(
                f"{name:<20} mean {means[name]:.2%}, last {statistics.fmean(last):.2%}, n {len(best)}"
            )
    print(json.dumps({"benchmark": "ablation", "means": means, "runs": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
