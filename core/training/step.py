"""One step: forward, loss, backward, and the optimizer's move."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.training.device import Learn, autocast
from core.training.ranks import ALONE, Ranks
from core.training.recipe import LABEL_SMOOTHING, skip_if_not_finite


def learning(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    precision: str,
    weights: Tensor,
    ranks: Ranks = ALONE,
) -> Learn:
    """Return what takes a step with images `(n, 3, S, S)` and labels `(n,)`, and returns logits `(n, classes)`.

    They are a rank's share of a batch of as many pictures as the third argument says. `weights` is
    `(classes,)`: how much a picture of each class counts. No value is looked at, so that nobody waits.
    """

    def learn(images: Tensor, labels: Tensor, whole: int) -> Tensor:
        with autocast(images.device, precision):
            logits: Tensor = network(images)
            losses = F.cross_entropy(
                logits, labels, weights, reduction="none", label_smoothing=LABEL_SMOOTHING
            )
            loss = ranks.weighted(losses.mean(), len(labels), whole)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if not scaler.is_enabled():
            skip_if_not_finite(optimizer)
        scaler.step(optimizer)
        scaler.update()
        # At once: what looks at the network between steps has their memory.
        optimizer.zero_grad(set_to_none=True)
        return logits.detach()

    return learn
