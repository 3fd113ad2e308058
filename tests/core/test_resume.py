"""Killed anywhere, a training goes on exactly there: the same weights to the last bit, nothing torn."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from core.config import TrainConfig
from core.errors import RunFailedError
from core.evaluation.answers import Answers
from core.files import write_atomically
from core.model.card import Preprocessing
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints, Chunks
from core.training import recipe
from core.training.batches import AUGMENTATIONS, Part
from core.training.best import BestKeeper, State
from core.training.checkpoint import Saver
from core.training.learner import Origin
from core.training.loop import Command, Job, train
from core.training.meter import Meter

CPU = torch.device("cpu")
# At this rate the second epoch of three is the best.
CONFIG = TrainConfig(data="d", epochs=3, batch_size=8, learning_rate=3e-3, augment="strong")
ORIGIN = Origin(
    device="cpu", precision="fp32", versions={}, split_hash="h", channels=1, stored_size=64
)


class Killed(BaseException):
    """What a kill does to a process, seen from inside: nothing after it runs."""


class Training:
    """The loop on a small network with all that makes resuming hard: dropout, momentum, channels-last."""

    def __init__(self, folder: Path, kill_at: int = 0, order_at: tuple[int, Command] | None = None):
        self.events: list[ev.Event] = []
        self.store = Checkpoints(folder)
        self._kill_at = kill_at
        self._order_at = order_at
        self._asked = 0
        torch.manual_seed(CONFIG.seed)
        model = nn.Sequential(
            *(nn.Conv2d(3, 8, 7, 4), nn.ReLU(), nn.Dropout(), nn.Flatten()), nn.Linear(8 * 15**2, 2)
        )
        train_part, validation = part(40, 0), part(16, 1)
        self.job = Job(
            config=CONFIG,
            recipe=recipe.plan(CONFIG, len(train_part), CPU),
            model=model.to(memory_format=torch.channels_last),
            copies=1.0,
            weights=torch.ones(2),
            train=train_part,
            validation=validation,
            device=CPU,
            precision="fp32",
            probes=no_probes,
        )
        self.keeper = BestKeeper(lambda state, epoch: None)

    def newest(self) -> Command | None:
        """Count the steps that are asked for, kill or order at one of them."""
        self._asked += 1
        if self._asked == self._kill_at:
            raise Killed
        if self._order_at and self._asked >= self._order_at[0]:
            return self._order_at[1]
        return None

    def run(self, seconds: float | None = 0.0) -> Training:
        checkpoint = self.store.newest()
        saver = Saver(
            *(self.store, ORIGIN, self.job.recipe, self.events.append, checkpoint),
            began=time.monotonic(),
            seconds=seconds,
        )
        try:
            train(self.job, self.keeper, self, saver, self.events.append)
        except Killed:
            pass
        finally:
            # Threads of a killed process are gone; here they must not outlive the test.
            saver.close()
        return self

    def result(self) -> tuple[str, str, int, list[ev.EpochEnded]]:
        """Return hashes of the last and the best weights, the best epoch, and the epochs without times."""
        epochs = [
            msgspec.structs.replace(event, time=0.0, seconds=0.0, images_per_second=0.0)
            for event in self.events
            if isinstance(event, ev.EpochEnded)
        ]
        return (
            digest(self.job.model.state_dict()),
            digest(self.keeper.state),
            self.keeper.epoch,
            epochs,
        )


def no_probes(_: Answers) -> list[ev.Probe]:
    return []


def part(count: int, seed: int) -> Part:
    random = np.random.default_rng(seed)
    labels = [i % 2 for i in range(count)]
    slopes = np.linspace(0, 120, 64)[None, None, :, None] * np.array(labels)[:, None, None, None]
    pixels = (slopes + random.integers(0, 130, (count, 1, 64, 64))).astype(np.uint8)
    spec = Preprocessing(stored_size=64, channels=1, image_size=64)
    return Part(pixels, list(range(count)), labels, spec, CPU, "disk")


def digest(state: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(
        b"".join(state[name].contiguous().numpy().tobytes() for name in sorted(state))
    ).hexdigest()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Training:
    return Training(tmp_path_factory.mktemp("unbroken")).run(seconds=None)


# The 15 steps of three epochs ask 18 times: before each, and after each epoch.
@pytest.mark.parametrize("kill_at", [2, 6, 7, 9, 17])
def test_c110_killed_at_any_step_it_ends_with_the_same_weights(
    tmp_path: Path, unbroken: Training, kill_at: int
) -> None:
    killed = Training(tmp_path / "c", kill_at=kill_at).run()
    resumed = Training(tmp_path / "c").run()
    last, best, epoch, epochs = unbroken.result()
    assert resumed.result()[:3] == (last, best, epoch)
    # No epoch is missing, and one that was seen twice was the same both times.
    seen = [*killed.result()[3], *resumed.result()[3]]
    assert {e.epoch: e for e in seen} == {e.epoch: e for e in epochs}
    assert all(e in epochs for e in seen)


@pytest.mark.parametrize("order", [(4, "stop-now"), (9, "signal"), (9, "stop")])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, unbroken: Training, order: tuple[int, Command]
) -> None:
    stopped = Training(tmp_path / "c", order_at=order).run(seconds=None)
    (saved,) = [event for event in stopped.events if isinstance(event, ev.Checkpointed)]
    assert saved.step == {"stop-now": 3, "signal": 7, "stop": 10}[order[1]]
    resumed = Training(tmp_path / "c").run()
    assert resumed.result()[:3] == unbroken.result()[:3]


def test_c106_a_state_that_has_overflowed_is_never_a_checkpoint(tmp_path: Path) -> None:
    training = Training(tmp_path / "c")
    with torch.no_grad():
        next(training.job.model.parameters()).fill_(math.inf)
    with pytest.raises(RunFailedError):
        training.run()
    assert not training.store.exist()


def test_c070_a_best_model_that_was_not_written_is_written_once_there_is_room() -> None:
    asked, room = list[int](), [False]

    def write(state: State, epoch: int) -> bool:
        asked.append(epoch)
        return room[0]

    keeper = BestKeeper(write)
    keeper.offer(nn.Linear(2, 2), 1, 0.5, 1.0)
    keeper.flush(force=True)
    room[0] = True
    keeper.flush(force=True)
    keeper.flush(force=True)
    assert asked == [1, 1]


def test_c070_a_full_disk_costs_a_warning_not_the_training(
    tmp_path: Path, unbroken: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, chunks: Chunks) -> None:
        if path.name == "manifest.json" and (tmp_path / "c" / "000001").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, chunks)

    monkeypatch.setattr("core.runs.checkpoints.write_atomically", full)
    training = Training(tmp_path / "c").run()
    monkeypatch.undo()
    assert training.result() == unbroken.result()
    notes = [event.text for event in training.events if isinstance(event, ev.Note)]
    assert notes and "No space left on device; the one at step 1 is safe" in notes[0]
    newest = Checkpoints(tmp_path / "c").newest()
    assert newest is not None and newest.step == 1
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["000001"]


def test_without_an_interval_of_its_own_a_short_run_writes_none(unbroken: Training) -> None:
    assert not unbroken.store.exist()
    assert not [event for event in unbroken.events if isinstance(event, ev.Checkpointed)]


def test_skipped_batches_leave_those_after_them_as_they_are() -> None:
    whole = list(part(20, 3).shuffled(4, AUGMENTATIONS["strong"], 1, 2))
    rest = list(part(20, 3).shuffled(4, AUGMENTATIONS["strong"], 1, 2, skip=3))
    assert len(rest) == 2
    for all_of, some in zip(whole[3:], rest, strict=True):
        assert torch.equal(all_of.images, some.images) and torch.equal(all_of.labels, some.labels)


def test_the_time_that_a_checkpoint_takes_to_load_is_no_time_of_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(CPU)
    now[0] += 15.0
    meter.go_on_from(torch.zeros(2, dtype=torch.float64), count=0, images=80, seconds=10.0)
    now[0] += 1.0
    meter.add(torch.zeros(8, 2), torch.zeros(8, dtype=torch.int64), whole=8)
    said = meter.read(epoch=2, step=11, learning_rate=1e-3)
    assert said is not None and said.images_per_second == pytest.approx(8.0)
