"""What happened since the last look: losses summed on the device, read seldom."""

from __future__ import annotations

import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import RunFailedError
from core.runs.events import Step

# A look makes the host wait for the device, and is a line in the log.
SECONDS_BETWEEN_LOOKS = 0.3


class Meter:
    """Adds up loss and right answers without waiting for the device; `read` waits once."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, device=device)
        self._epoch_sums = torch.zeros(2, device=device)
        self._count = 0
        self._epoch_count = 0
        self._looked = time.monotonic()
        self.images = 0
        self.seconds = 0.0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Count a batch by its `(n, classes)` logits, the loss without label smoothing."""
        logits = logits.detach().float()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        right = (logits.argmax(1) == labels).sum()
        self._sums += torch.stack([loss, right.float()])
        self._count += len(labels)

    def due(self) -> bool:
        """Tell whether it is time for a look."""
        return time.monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS

    def restart_clock(self) -> None:
        """Leave out the time since the last look, which was a pause or an evaluation."""
        self._looked = time.monotonic()

    def read(self, epoch: int, step: int, learning_rate: float) -> Step | None:
        """Return what was counted since the last look, None if that is nothing.

        Raises:
            RunFailedError: the loss is not a number any more.
        """
        if not self._count:
            return None
        loss, right = (self._sums / self._count).tolist()
        if not math.isfinite(loss):
            raise not_a_number(step)
        now = time.monotonic()
        elapsed = max(now - self._looked, 1e-9)
        event = Step(
            epoch=epoch,
            step=step,
            loss=loss,
            accuracy=right,
            learning_rate=learning_rate,
            images_per_second=self._count / elapsed,
        )
        self.images += self._count
        self.seconds += elapsed
        self._epoch_sums += self._sums
        self._epoch_count += self._count
        self._sums.zero_()
        self._count = 0
        self._looked = now
        return event

    def end_epoch(self) -> tuple[float, float]:
        """Return the epoch's mean loss and accuracy, and begin the next."""
        loss, right = (self._epoch_sums / max(self._epoch_count, 1)).tolist()
        self._epoch_sums.zero_()
        self._epoch_count = 0
        return loss, right


def not_a_number(step: int) -> RunFailedError:
    """Return the error of a run whose loss has overflowed; the best weights before are kept."""
    return RunFailedError(
        f"The loss is not a number since step {step:,}.",
        "Lower the learning rate; leave it out to take the recipe's.",
    )
