"""The best weights so far: in memory at once, on disk soon after, never worse than before."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor, nn

# Writing the model may take this share of the time, so that quick epochs are not slowed by it.
WRITING_SHARE = 0.05

State = dict[str, Tensor]


class BestKeeper:
    """Keeps the weights of the epoch with the highest validation accuracy, the lower loss among equals."""

    def __init__(self, write: Callable[[State, int], bool | None]) -> None:
        """Keep weights, and `write` those of an epoch, which says False if it could not."""
        self._write = write
        self._state: State | None = None
        self._score = (-1.0, 0.0)
        self._unwritten = False
        self._may_write_at = 0.0
        self.epoch = 0

    @property
    def accuracy(self) -> float:
        return self._score[0]

    @property
    def score(self) -> tuple[float, float]:
        """The best validation accuracy, and its loss with the sign turned."""
        return self._score

    @property
    def state(self) -> State:
        """The best weights, never changed in place; empty before the first epoch."""
        return self._state or {}

    def go_on_from(self, state: State, epoch: int, score: tuple[float, float]) -> None:
        """Take over what an earlier process had kept; it is written again when there is time."""
        self._state, self.epoch, self._score = state or None, epoch, score
        self._unwritten = True

    def offer(self, model: nn.Module, epoch: int, accuracy: float, loss: float) -> bool:
        """Keep the weights of `model` if they are the best so far, and tell whether they are."""
        if (accuracy, -loss) <= self._score:
            return False
        self._score = (accuracy, -loss)
        self.epoch = epoch
        # Copied anew each time: a checkpoint that is being written may still hold the ones before.
        self._state = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self._unwritten = True
        return True

    def flush(self, force: bool = False) -> None:
        """Write what is not on disk yet, unless the last write was a moment ago."""
        now = time.monotonic()
        if self._state is None or not self._unwritten or (now < self._may_write_at and not force):
            return
        self._unwritten = self._write(self._state, self.epoch) is False
        done = time.monotonic()
        self._may_write_at = done + (done - now) / WRITING_SHARE
