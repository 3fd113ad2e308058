"""One step: forward, loss, backward, and the optimizer's move."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import RunFailedError
from core.training.adamw import AdamW
from core.training.device import autocast, recording
from core.training.ranks import ALONE, Ranks
from core.training.recipe import LABEL_SMOOTHING, skip_if_not_finite


class Step:
    """Takes a step with a batch; no value is looked at, so that host and device do not wait for each other.

    `weights` is `(classes,)`: how much a picture of each class counts. Where the device's memory is too small
    for a batch its gradients are summed over parts of it, which is the same step but for what dropout draws;
    `on_split` is told in how many.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: AdamW,
        scaler: torch.amp.GradScaler,
        precision: str,
        weights: Tensor,
        ranks: Ranks = ALONE,
        on_split: Callable[[int], None] = lambda parts: None,
    ) -> None:
        self._network = network
        self._optimizer = optimizer
        self._scaler = scaler
        self._precision = precision
        self._weights = weights
        self._ranks = ranks
        self._on_split = on_split
        self._parts = 1

    def __call__(self, images: Tensor, labels: Tensor, whole: int) -> Tensor:
        """Learn from images `(n, 3, S, S)` and labels `(n,)`, a share of `whole`; return logits `(n, classes)`.

        Raises:
            RunFailedError: the device's memory is too small.
        """
        while (logits := self._gradients(images, labels, whole)) is None:
            self._split(len(labels))
        if not self._scaler.is_enabled():
            skip_if_not_finite(self._optimizer)
        self._scaler.step(self._optimizer)  # type: ignore[arg-type]  # is one but by name
        self._scaler.update()
        # At once: what looks at the network between steps has their memory.
        self._optimizer.zero_grad()
        return logits

    def _gradients(self, images: Tensor, labels: Tensor, whole: int) -> Tensor | None:
        """Leave the batch's gradients in the network, or return None where the memory is too small."""
        parts = min(self._parts, len(labels))
        pieces = zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True)
        try:
            return torch.cat([self._backward(*piece, len(labels), whole) for piece in pieces])
        except torch.OutOfMemoryError:
            self._optimizer.zero_grad()
            if recording():
                # What failed would be recorded with what follows.
                raise
            # What the error holds on to is gone once it has been left.
            return None

    def _backward(self, images: Tensor, labels: Tensor, count: int, whole: int) -> Tensor:
        """Add the gradients of some of the `count` pictures; return their logits."""
        with autocast(images.device, self._precision):
            logits: Tensor = self._network(images)
            losses = F.cross_entropy(
                logits, labels, self._weights, reduction="none", label_smoothing=LABEL_SMOOTHING
            )
            loss = self._ranks.weighted(losses.sum() / count, count, whole)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return logits.detach()

    def _split(self, count: int) -> None:
        torch.cuda.empty_cache()
        if self._parts >= count or self._ranks is not ALONE:
            raise RunFailedError(
                "The GPU's memory is full.",
                "Choose a smaller --batch-size or --image-size, or wait until others have left the GPU.",
            )
        self._parts = min(2 * self._parts, count)
        self._on_split(self._parts)
