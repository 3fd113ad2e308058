"""A few real steps on made-up pictures, to tell how fast a training will be."""

from __future__ import annotations

import time

import torch

from core import costs
from core.config import TrainConfig
from core.costs import Sizes
from core.model import alexnet
from core.model.card import Preprocessing
from core.model.folded import fold
from core.training import batches, device, recipe
from core.training.step import Step

# Measured for so long, but for at least so many steps, after those that warm up: on a GPU, until a step is
# recorded.
SECONDS = 1.5
LEAST_STEPS = 2
# With steps as slow as this one is enough.
SLOW_STEP_SECONDS = 5.0
MOST_DOUBLED = 2048


def images_per_second(config: TrainConfig, sizes: Sizes) -> float:
    """Return how many training pictures a second `config` takes on this machine, as it is now.

    Raises:
        UserError: the device cannot be used.
    """
    where = device.choose(config.device)
    precision = device.precision(config.precision, where)
    numbers = recipe.plan(config, sizes.train, where)
    model = alexnet.build(sizes.classes, freeze=config.freeze)
    copies = 1.0 if config.freeze else fold(model, config.image_size)
    model = device.placed(model, where).train()
    optimizer = recipe.make_optimizer(model, numbers, copies)
    scaler = torch.amp.GradScaler(where.type, enabled=precision == "fp16")
    weights = torch.ones(sizes.classes, device=where)
    step = Step(model, optimizer, scaler, precision, weights)
    learn = device.replayed(step, numbers.steps, where, precision)
    part = _part(config, sizes, numbers.batch_size, where)
    how = batches.AUGMENTATIONS[config.augment]
    steps, began = -(1 if where.type == "cpu" else device.WARM_UP_STEPS + 1), 0.0
    for epoch in range(1_000_000):
        for batch in part.shuffled(numbers.batch_size, how, 0, epoch):
            logits = learn(*batch)
            steps += 1
            if steps == 0 or (steps > 0 and _is_time(steps, began)):
                # Reading a value waits for the device.
                logits.sum().item()
                if steps > 0:
                    return steps * len(batch.labels) / (time.monotonic() - began)
                began = time.monotonic()
    raise AssertionError("a step takes time")


def _is_time(steps: int, began: float) -> bool:
    passed = time.monotonic() - began
    return passed >= SLOW_STEP_SECONDS or (passed >= SECONDS and steps >= LEAST_STEPS)


def _part(config: TrainConfig, sizes: Sizes, batch: int, where: torch.device) -> batches.Part:
    """Return a batch or two of noise, kept as pictures are."""
    number = batch if batch > MOST_DOUBLED else 2 * batch
    side, channels = sizes.stored_size, sizes.channels
    draw = torch.Generator().manual_seed(0)
    shape = (number, channels, side, side)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw).numpy()
    labels = torch.randint(0, sizes.classes, (number,), generator=draw).tolist()
    spec = Preprocessing(
        stored_size=side, channels=3 if channels == 3 else 1, image_size=config.image_size
    )
    tier = costs.tier(config.pixels, sizes.pixels, device.free_memory(where))
    return batches.Part(pixels, list(range(number)), labels, spec, where, tier)
