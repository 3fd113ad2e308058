"""A checkpoint that is written from what is still in use holds what stood there when it began."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from core.runs.checkpoints import Checkpoints, Chunks
from core.training import recipe
from core.training.average import Average
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.learner import BEST, STATE, Learner, Origin, flat
from core.training.meter import Meter

CPU = torch.device("cpu")
PLAN = recipe.Recipe(
    batch_size=4, steps_per_epoch=3, steps=30, learning_rate=0.01, usual_learning_rate=0.01
)
ORIGIN = Origin(device="", precision="", versions={}, split_hash="", channels=3, stored_size=8)


class Slow(Checkpoints):
    """Takes as many chunks as it is let, and keeps what it was given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may = threading.Semaphore(0)
        self.taken = threading.Semaphore(0)
        self.files: dict[str, bytes] = {}
        self.failing = False

    def write(
        self,
        epoch: int,
        step: int,
        numbers: bytes,
        files: Mapping[str, Chunks],
        unchanged: Collection[str] = (),
    ) -> None:
        for name, chunks in files.items():
            said = bytearray()
            for chunk in chunks:
                assert self.may.acquire(timeout=20)
                said += chunk
                self.taken.release()
                if self.failing:
                    raise OSError(28, "No space left on device")
            self.files[name] = bytes(said)

    def let(self, chunks: int) -> None:
        for _ in range(chunks):
            self.may.release()
            assert self.taken.acquire(timeout=20)


class Learning:
    """A small network that learns from noise, with a checkpoint's writer beside it."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)
        self.model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.average = Average(self.model, 30)
        self.keeper = BestKeeper(lambda state, epoch: None)
        self.learner = Learner(
            model=self.model,
            average=self.average.model,
            optimizer=recipe.make_optimizer(self.model, PLAN, 1.0),
            scaler=torch.amp.GradScaler("cpu", enabled=False),
            meter=Meter(CPU),
            keeper=self.keeper,
        )
        self.store = Slow(folder)
        self.said: list[object] = []
        self.saver = Saver(self.store, ORIGIN, PLAN, self.said.append, began=0.0, seconds=0.0)
        self.steps = 0

    def step(self) -> None:
        optimizer = self.learner.optimizer
        self.model(torch.randn(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        self.steps += 1
        self.average.update(self.steps)
        self.learner.meter.add(torch.randn(4, 2), torch.zeros(4, dtype=torch.long), 4)

    def standing(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.learner.tensors().items()}


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], tensor) for name, tensor in expected.items()
    )


# The header, nothing but the header, some tensors, all but the last: the rest is copied by the next step.
@pytest.mark.parametrize("before", [0, 1, 2, 4, 9, 17, 25])
def test_what_a_step_changes_is_written_as_it_was(
    tmp_path: Path, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that a tensor may be changed when it is half written.
    monkeypatch.setattr("core.training.learner.PIECE", 100)
    learning = Learning(tmp_path)
    for _ in range(3):
        learning.step()
    learning.keeper.offer(learning.average.model, 1, 0.5, 1.0)
    expected, best = learning.standing(), dict(learning.keeper.state)
    learning.saver.tick(learning.learner, 3)
    learning.store.let(before)
    for _ in range(3):
        learning.step()
    learning.keeper.offer(learning.average.model, 2, 0.6, 1.0)
    assert not same(learning.standing(), expected)
    for _ in range(200):
        learning.store.may.release()
    learning.saver.close()
    assert same(safetensors.torch.load(learning.store.files[STATE]), expected)
    assert same(safetensors.torch.load(learning.store.files[BEST]), best)
    assert learning.said


def test_what_could_not_be_written_is_not_copied_for_nothing(tmp_path: Path) -> None:
    learning = Learning(tmp_path)
    learning.step()
    learning.store.failing = True
    learning.saver.tick(learning.learner, 1)
    learning.store.let(1)
    learning.saver.close()
    settle = learning.learner.optimizer.about_to_move
    assert settle is not None and not settle.__self__.state  # type: ignore[attr-defined]
    learning.step()
    assert learning.learner.optimizer.about_to_move is None


def test_numbers_are_written_in_row_major_order() -> None:
    turned = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    assert flat(turned).tolist() == list(range(24))
    assert flat(torch.tensor(7.0)).tolist() == [7.0]
