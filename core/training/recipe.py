"""The recipe: optimizer, schedule and sizes, chosen for the pictures, the epochs and the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.costs import batch_size
from core.model import folded
from core.training import device
from core.training.adamw import AdamW

WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.1
WARM_UP = 0.05
FINE_TUNING_FACTOR = 0.3
# Classes count alike unless one has that many times as many pictures as another.
UNEVEN = 1.5
# The entry of an optimizer's group that says how many times the learning rate it is moved by.
FACTOR = "factor"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The numbers of one run; `usual_learning_rate` is what `auto` means here."""

    batch_size: int
    steps_per_epoch: int
    steps: int
    learning_rate: float
    usual_learning_rate: float


def plan(config: TrainConfig, pictures: int, where: torch.device) -> Recipe:
    """Return the recipe for training on `pictures` pictures."""
    size = batch_size(config, pictures, where.type != "cpu")
    usual = 5e-4 * math.sqrt(size / 128)
    usual *= 1.0 if config.weights == "random" else FINE_TUNING_FACTOR
    rate = usual if config.learning_rate == "auto" else config.learning_rate
    per_epoch = math.ceil(pictures / size)
    return Recipe(
        batch_size=size,
        steps_per_epoch=per_epoch,
        steps=per_epoch * config.epochs,
        learning_rate=rate,
        usual_learning_rate=usual,
    )


def make_optimizer(model: nn.Module, recipe: Recipe, copies: float) -> AdamW:
    """Return AdamW with decay on weights only.

    A weight of a folded layer stands for `copies` weights that move alike (`fold`).
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        factor = copies if name == folded.WEIGHT else 1.0
        decay = WEIGHT_DECAY / factor if parameter.ndim > 1 else 0.0
        if parameter.requires_grad:
            groups.setdefault((factor, decay), []).append(parameter)
    made = [
        {"params": group, "weight_decay": decay, FACTOR: factor}
        for (factor, decay), group in groups.items()
    ]
    for one in made:
        # Each its own, since it is changed in place.
        one["lr"] = device.rate(recipe.learning_rate, model)
    return AdamW(made)


def skip_if_not_finite(optimizer: AdamW) -> None:
    """Let the next step change nothing if a gradient is not finite; does not wait for the device.

    It is told as `torch.amp.GradScaler` tells it, which does so itself where it is in use.
    """
    gradients = [
        p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
    ]
    finite = torch.isfinite(torch.nn.utils.get_total_norm(gradients))
    optimizer.found_inf = (~finite).float()


def class_weights(counts: Sequence[int]) -> list[float]:
    """Return how much a picture of each class counts: all alike unless the classes are uneven.

    The root of the inverse frequency, halfway between learning from each picture and from each class
    alike (Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining", ECCV 2018, section 2.2);
    the mean over all pictures is 1.
    """
    if max(counts) < UNEVEN * min(counts):
        return [1.0] * len(counts)
    roots = [count**-0.5 for count in counts]
    mean = sum(count * root for count, root in zip(counts, roots, strict=True)) / sum(counts)
    return [root / mean for root in roots]


def set_learning_rate(optimizer: AdamW, rate: float) -> None:
    """Give each group its rate for the next step, where `rate` is that of most."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group[FACTOR])
        else:
            group["lr"] = rate * group[FACTOR]


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of optimizer step `step` (from 0): linear warm-up, then a half cosine to zero.

    Smith & Topin, "Super-Convergence", 2018; cosine as in Loshchilov & Hutter, "SGDR", 2017, eq. 5.
    """
    warm = max(round(WARM_UP * recipe.steps), 1)
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    done = (step - warm) / max(recipe.steps - warm, 1)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
