"""Stop anywhere, go on exactly there: what stands between two steps, written while the next ones run."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

import msgspec
import torch
from torch import Tensor

from core.processes import cpu_count
from core.runs import events as ev
from core.runs.checkpoints import WRITING, Checkpoint, Checkpoints
from core.training.learner import (
    BEST,
    STATE,
    Array,
    Learner,
    Numbers,
    Origin,
    Tensors,
    encoded,
    flat,
    pieces,
    restore,
)
from core.training.recipe import Recipe

# A kill costs no more than this, unless checkpoints would then take more than their share of the time.
SECONDS = 60.0
SHARE = 0.02


class Saver:
    """Writes checkpoints in the background, so seldom that they cost at most `SHARE` of the time.

    Within an epoch they are also at least a minute apart. `began` is when the run began by the monotonic
    clock, breaks left out; `seconds` asks for an interval of its own, whatever that costs. One that does
    not write, since another process does, is there for its `start`.
    """

    def __init__(
        self,
        store: Checkpoints,
        origin: Origin,
        recipe: Recipe,
        say: Callable[[ev.Event], None],
        checkpoint: Checkpoint | None = None,
        *,
        began: float,
        seconds: float | None = None,
        writes: bool = True,
    ) -> None:
        self._store = store
        self._writes = writes
        self._checkpoint = checkpoint
        self._origin = origin
        self._recipe = recipe
        self._say = say
        self._began = began
        self._wanted = seconds
        self._seconds = SECONDS if seconds is None else seconds
        self._may_save_at = time.monotonic() + self._seconds
        self._must_save_at = self._may_save_at
        self._writing: threading.Thread | None = None
        self._outcome: ev.Event | None = None
        self._begun_step = self._saved_step = 0
        self._best_written = 0

    def start(self, learner: Learner) -> int:
        """Put `learner` where the checkpoint stands, if there is one; return how many steps are done."""
        if self._checkpoint is None:
            return 0
        restore(learner, self._checkpoint)
        self._begun_step = self._saved_step = self._checkpoint.step
        self._checkpoint = None
        return self._saved_step

    def tick(self, learner: Learner, step: int) -> None:
        """Begin a checkpoint after `step` steps if it is time for one; tell of one that is done."""
        if self._writing is not None:
            if self._writing.is_alive():
                return
            self._finish()
        now = time.monotonic()
        at_epoch_end = step % self._recipe.steps_per_epoch == 0
        due = now >= (self._may_save_at if at_epoch_end else self._must_save_at)
        if self._writes and due and step > self._begun_step:
            self._begin(learner, step)

    def save(self, learner: Learner, step: int) -> None:
        """Write a checkpoint after `step` steps and wait until it is on the disk."""
        self._finish()
        if self._writes and step > self._saved_step:
            self._begin(learner, step)
            self._finish()

    def close(self) -> None:
        """Wait for what is being written."""
        self._finish()

    def _begin(self, learner: Learner, step: int) -> None:
        self._begun_step = step
        began = time.monotonic()
        numbers = learner.numbers(self._origin, self._recipe, began - self._began)
        snapshot = _Snapshot(learner, numbers, step)
        self._writing = threading.Thread(target=self._write, args=(snapshot,), name=WRITING)
        self._writing.start()

    def _finish(self) -> None:
        """Wait for the writing thread and pass on what came of it."""
        if self._writing is None:
            return
        self._writing.join()
        self._writing = None
        if self._outcome is not None:
            self._say(self._outcome)
            self._outcome = None

    def _write(self, snapshot: _Snapshot) -> None:
        began, worked = time.monotonic(), time.thread_time()
        written = False
        try:
            with snapshot.on_own_stream():
                self._write_files(snapshot)
            written = True
        except OverflowError:
            # The loop is about to find out; the checkpoints before are what can be gone on from.
            pass
        except (OSError, RuntimeError, MemoryError) as error:
            self._outcome = self._not_saved(snapshot.step, error)
        finally:
            snapshot.let_go()
            now = time.monotonic()
            # The writer takes one of the cores from a step on the CPU, and next to nothing from a GPU.
            cost = snapshot.blocked + (time.thread_time() - worked) / cpu_count()
            pause = cost / SHARE if self._wanted is None else 0.0
            self._may_save_at = now + pause
            self._must_save_at = now + max(pause, self._seconds)
        if written:
            self._saved_step = snapshot.step
            self._outcome = ev.Checkpointed(
                epoch=snapshot.epoch,
                step=snapshot.step,
                seconds=now - began,
                cost=cost,
                at_risk=self._must_save_at - began,
            )

    def _write_files(self, snapshot: _Snapshot) -> None:
        best_epoch = snapshot.numbers.best_epoch
        self._store.write(
            snapshot.epoch,
            snapshot.step,
            msgspec.json.encode(snapshot.numbers),
            {
                STATE: encoded(snapshot.state, snapshot.take),
                BEST: encoded(snapshot.best, lambda name: iter([flat(snapshot.best[name])])),
            },
            unchanged=[BEST] if self._best_written == best_epoch else [],
        )
        self._best_written = best_epoch

    def _not_saved(self, step: int, error: Exception) -> ev.Note:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        kept = f"; the one at step {self._saved_step:,} is safe" if self._saved_step else ""
        text = f"the checkpoint at step {step:,} was not saved: {reason}{kept} (training goes on)"
        return ev.Note(level="error", text=text)


class _Snapshot:
    """A learner as it is between two steps: copied on its device, or in memory where the device is full.

    On a CPU it is written as it lies there until the next step is about to change it: only what has not been
    written by then is copied, so that it takes less memory beside the step's gradients.
    """

    def __init__(self, learner: Learner, numbers: Numbers, step: int) -> None:
        began = time.monotonic()
        self.step = step
        self.epoch = step // numbers.recipe.steps_per_epoch + 1
        self.numbers = numbers
        # Never changed in place, so that it needs no copy.
        self.best = learner.keeper.state
        self._device = learner.meter.sums.device
        self._copied: torch.cuda.Event | None = None
        self._taking = threading.Lock()
        if self._device.type == "cuda":
            self.state, self._lent = _copied(learner.tensors()), False
            self._copied = torch.cuda.current_stream(self._device).record_event()
        else:
            self.state, self._lent = learner.tensors(), True
            learner.optimizer.about_to_move = self._settle
        self.blocked = time.monotonic() - began

    def take(self, name: str) -> Iterator[Array]:
        """Yield the numbers of a tensor of the state, piece by piece, and let go of it."""
        whole: Array | None = None
        for part in pieces(self.state[name].numel()):
            with self._taking:
                if self._lent:
                    piece = flat(self.state[name])[part].copy()
                else:
                    # From a GPU it comes in one piece.
                    whole = flat(self.state.pop(name)) if whole is None else whole
                    piece = whole[part]
            yield piece
        with self._taking:
            self.state.pop(name, None)

    def let_go(self) -> None:
        """Let go of what has not been taken: nobody will."""
        with self._taking:
            self.state = {}

    def _settle(self) -> None:
        """Copy what has not been taken: a step is about to change it."""
        began = time.monotonic()
        with self._taking:
            self.state, self._lent = _copied(self.state), False
        self.blocked += time.monotonic() - began

    def on_own_stream(self) -> AbstractContextManager[object]:
        """Return the context in which the copy is read beside the steps that go on meanwhile."""
        if self._copied is None:
            return nullcontext()
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_event(self._copied)
        return torch.cuda.stream(stream)


def checkpoint_seconds() -> float | None:
    """Return the interval that `ALEXNET_TUI_CHECKPOINT_SECONDS` asks for, whatever it costs."""
    given = os.environ.get("ALEXNET_TUI_CHECKPOINT_SECONDS", "")
    try:
        seconds = float(given)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _copied(tensors: Mapping[str, Tensor]) -> Tensors:
    try:
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}
    except torch.OutOfMemoryError:
        pass
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}
