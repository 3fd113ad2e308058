"""What happened since the last look: losses summed on the device, read seldom."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import NotANumberError
from core.runs.events import Step
from core.training.batches import Batch

# A look makes the host wait for the device, and is a line in the log.
SECONDS_BETWEEN_LOOKS = 0.3
# A look that took so many times as long as its pictures should have, and so many seconds more, was
# a standstill (SIGSTOP, a disk that hung), which says nothing of the pace.
STANDSTILL_FACTOR, STANDSTILL_SECONDS = 10, 20.0


class Meter:
    """Adds up loss and right answers without waiting for the device; `read` waits once."""

    def __init__(self, device: torch.device) -> None:
        # Of the epoch so far; what was seen at the last look is taken off, so that no sum depends on when
        # somebody looked.
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._seen = torch.zeros_like(self._sums)
        # Of a single batch since the last look: a jump that is over soon shows in no mean of many.
        self._highest = torch.zeros((), dtype=torch.float64, device=device)
        self._count = 0
        self._seen_count = 0
        self._waited = 0.0
        self._looked = time.monotonic()
        self.images = 0
        self.seconds = 0.0

    def timed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield `batches`, and add up the time that each took to be got ready.

        On a CPU that is all of the work. On a GPU it is the host's part: the device may be busy with
        steps queued before, so that the share of it that truly waits is at most this.
        """
        waiting = iter(batches)
        while True:
            began = time.monotonic()
            batch = next(waiting, None)
            self._waited += time.monotonic() - began
            if batch is None:
                return
            yield batch

    def add(self, logits: Tensor, labels: Tensor, whole: int) -> None:
        """Count a batch by its `(n, classes)` logits, the loss without label smoothing.

        Where several ranks share it, `whole` is how many pictures it has in all.
        """
        logits = logits.detach().float()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        right = (logits.argmax(1) == labels).sum()
        sums = self.pooled(torch.stack([loss, right.float()]))
        self._sums += sums
        torch.maximum(self._highest, sums[0] / whole, out=self._highest)
        self._count += whole

    def pooled(self, sums: Tensor) -> Tensor:
        """Return `sums` (loss and right answers) of this process as those of all that share a batch."""
        return sums

    def due(self) -> bool:
        """Tell whether it is time for a look."""
        return time.monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS

    def restart_clock(self) -> None:
        """Leave out the time since the last look, which was a pause or an evaluation."""
        self._looked = time.monotonic()
        self._waited = 0.0

    def read(self, epoch: int, step: int, learning_rate: float) -> Step | None:
        """Return what was counted since the last look, None if that is nothing.

        Raises:
            NotANumberError: the loss is not a number any more.
        """
        count = self._count - self._seen_count
        if not count:
            return None
        means = (self._sums - self._seen) / count
        loss, right, highest = torch.cat([means, self._highest[None]]).tolist()
        if not math.isfinite(loss):
            raise NotANumberError(step)
        now = time.monotonic()
        elapsed = self._elapsed(now, count)
        event = Step(
            epoch=epoch,
            step=step,
            loss=loss,
            highest=highest,
            accuracy=right,
            learning_rate=learning_rate,
            images_per_second=count / elapsed,
            waiting=round(min(self._waited / elapsed, 1.0), 4),
        )
        self.images += count
        self.seconds += elapsed
        self._seen.copy_(self._sums)
        self._highest.zero_()
        self._seen_count = self._count
        self._waited = 0.0
        self._looked = now
        return event

    def _elapsed(self, now: float, count: int) -> float:
        """Return the seconds that `count` pictures took, by the pace so far where there was a standstill."""
        elapsed = max(now - self._looked, 1e-9)
        if not self.images:
            return elapsed
        usual = count * self.seconds / self.images
        stood_still = elapsed > STANDSTILL_FACTOR * usual + STANDSTILL_SECONDS
        return usual if stood_still else elapsed

    def end_epoch(self) -> tuple[float, float]:
        """Return the epoch's mean loss and accuracy, and begin the next."""
        loss, right = (self._sums / max(self._count, 1)).tolist()
        self._sums.zero_()
        self._seen.zero_()
        self._count = self._seen_count = 0
        return loss, right

    @property
    def sums(self) -> Tensor:
        """Loss and right answers of the epoch so far, `(2,)` float64 on the device."""
        return self._sums

    @property
    def count(self) -> int:
        """How many pictures of the epoch were counted so far."""
        return self._count

    def go_on_from(self, sums: Tensor, count: int, images: int, seconds: float) -> None:
        """Take over what an earlier process had counted."""
        self._sums.copy_(sums)
        self._seen.copy_(sums)
        self._count = self._seen_count = count
        self.images, self.seconds = images, seconds
        self.restart_clock()
