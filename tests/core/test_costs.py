"""What a training takes: reckoned from its settings, checked against a process that does it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from core import costs, machine, speeds
from core.config import TrainConfig
from core.costs import Sizes, Trial
from core.engine import Engine
from core.errors import UserError
from core.model.bundle import alexnet_shapes
from core.runs import events as ev
from core.runs.folder import RunFolder, runs_root
from tests.core.conftest import ROOT, TrainedRun
from tests.core.test_pulse import begun
from tests.core.test_resumable import RESUMED, ended
from tests.core.test_snapshot import STARTED, TRAINING

SIZES = Sizes(classes=2, train=64, validation=0, test=0, channels=1, stored_size=72)
CONFIG = TrainConfig(data="/data", image_size=64, batch_size=32, device="cpu")


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))


MEASURE = """
import asyncio, resource
from core.costs import Trial
from core.engine import Engine

trial = Trial.decoded({trial!r})
asyncio.run(Engine().measure(trial.config, trial.sizes))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.usefixtures("_own_cache")
def test_steps_are_measured_kept_and_take_the_memory_that_was_reckoned() -> None:
    # In a process without other children, so that only the measurement's memory counts.
    code = MEASURE.format(trial=Trial(config=CONFIG, sizes=SIZES).encoded())
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=170
    )
    found, speed = speeds.look_up(CONFIG, SIZES)
    assert speed is not None and speed.images_per_second > 0 and speed.told_by == "measurement"
    # A measurement keeps no average and no best weights, and writes no checkpoint of four times as much.
    trained = costs.parameters(2) - 35 * 256 * 4096
    reckoned = found.memory.bytes - 6 * trained * costs.FLOAT
    assert reckoned == pytest.approx(int(done.stdout), rel=0.25)


def test_a_finished_training_tells_its_speed(trained: TrainedRun) -> None:
    config = RunFolder(Path(trained.events[-1]["run"])).config()
    ready = trained.of("dataset-ready")[0]
    sizes = Sizes(
        classes=2,
        train=sum(ready["train"]),
        validation=sum(ready["validation"]),
        test=sum(ready["test"]),
        channels=ready["channels"],
        stored_size=ready["stored_size"],
    )
    _, speed = speeds.look_up(config, sizes)
    assert speed is not None and speed.told_by == "training"
    assert speed.images_per_second == trained.events[-1]["images_per_second"]


def test_the_weights_are_counted_right() -> None:
    for classes in (2, 1000):
        shapes = alexnet_shapes(classes).values()
        numbers = [math.prod(shape) for shape in shapes]
        assert costs.parameters(classes) == sum(numbers)


def test_what_depends_on_what() -> None:
    def memory(**changes: object) -> int:
        config = TrainConfig(**{"data": "d", "device": "cpu", "batch_size": 128, **changes})  # type: ignore[arg-type]
        return costs.memory(config, SIZES, costs.batch_size(config, 9000, False), False)

    usual = memory()
    assert memory(image_size=64) < usual < memory(batch_size=256)
    assert memory(freeze=True) < usual - 2 * costs.BODY * costs.FLOAT
    assert costs.batch_size(TrainConfig(data="d"), 10_000, on_gpu=True) == 256
    assert costs.batch_size(TrainConfig(data="d"), 10, on_gpu=False) == 10
    half = costs.memory(TrainConfig(data="d"), SIZES, 4096, True)
    assert half < costs.memory(TrainConfig(data="d", precision="fp32"), SIZES, 4096, True)


def test_pixels_lie_as_near_to_the_gpu_as_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 1000)
    assert costs.tier("auto", 10**12, None) == "disk"
    assert costs.tier("auto", 60, 100) == "device"
    assert [costs.tier("auto", pixels, 100) for pixels in (61, 600, 601)] == [
        "memory",
        "memory",
        "disk",
    ]
    # Each process of this machine would hold them.
    assert costs.tier("auto", 200, 100, processes=4) == "disk"
    assert costs.tier("device", 10**12, 100) == "device"
    assert costs.tier("disk", 1, 100) == "disk"


def test_pixels_elsewhere_take_nothing_of_the_gpu() -> None:
    config, batch = TrainConfig(data="d"), 32
    resident = costs.memory(config, SIZES, batch, True)
    assert resident - costs.memory(config, SIZES, batch, True, resident=False) == SIZES.pixels


def test_time_counts_epochs_and_what_is_only_answered() -> None:
    sizes = Sizes(classes=2, train=900, validation=300, test=300, channels=3, stored_size=72)
    plain = TrainConfig(data="d", epochs=10, augment="none")
    assert costs.seconds(plain, sizes, 100) == pytest.approx(10 * 10 + 1)
    # What was seen in the mirror is answered twice.
    config = TrainConfig(data="d", epochs=10)
    assert costs.seconds(config, sizes, 100) == pytest.approx(10 * 11 + 2)


def test_the_disks_are_told_apart(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or os.stat(shared).st_dev == os.stat(tmp_path).st_dev:  # noqa: PTH116
        pytest.skip("one disk only")
    one = costs.costs(TrainConfig(data=str(tmp_path), device="cpu"), SIZES)
    out = str(shared / "m.safetensors")
    two = costs.costs(TrainConfig(data=str(tmp_path), device="cpu", out=out), SIZES)
    assert len(two.disks) == len(one.disks) + 1
    total = sum(need.bytes for need in one.disks)
    assert sum(need.bytes for need in two.disks) == total
    # The model, the run's copy, and three checkpoints of weights, their average and its best, two moments.
    assert total == (2 + 3 * 5) * costs.parameters(2) * costs.FLOAT + SIZES.pixels


class Usage(NamedTuple):
    """What the system says of a disk."""

    total: int
    free: int


async def refusal(config: TrainConfig) -> UserError:
    with pytest.raises(UserError) as refused:
        await Engine().check(config)
    return refused.value


async def test_a_disk_that_is_too_small_is_told_before_the_start(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 64 pixels a training writes two models of 228 MB and a checkpoint of 406 MB."""

    def free(size: float) -> None:
        usage = Usage(total=10**12, free=int(size))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    config = TrainConfig(data=str(dataset), image_size=64)
    free(1e6)
    small = await refusal(config)
    assert small.exit_code == 2 and str(runs_root()) in small.title
    assert "1.0 MB are free" in small.title and " MB there" in small.title
    assert "ALEXNET_TUI_RUNS" in small.hint and "--out FILE" in small.hint
    free(700e6)
    assert (await refusal(config)).title.startswith("The disk of")
    free(866e6)
    await Engine().check(config)
    # A drive that tells of no bytes at all is not taken for a full one.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total=0, free=0))
    await Engine().check(config)


async def test_of_two_disks_the_full_one_is_named(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or os.stat(shared).st_dev == os.stat(tmp_path).st_dev:  # noqa: PTH116
        pytest.skip("one disk only")

    def full(path: Path) -> Usage:
        return Usage(total=10**12, free=10**8 if path == shared else 10**10)

    monkeypatch.setattr(shutil, "disk_usage", full)
    model = TrainConfig(data=str(dataset), out=str(shared / "m.safetensors"))
    small = await refusal(model)
    assert "/dev/shm is too small: this training needs 228 MB there, and 100 MB" in small.title
    assert "--out" in small.hint and "ALEXNET_TUI_RUNS" not in small.hint
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(shared / "not-yet" / "there"))
    small = await refusal(TrainConfig(data=str(dataset)))
    assert "/dev/shm/not-yet/there is too small" in small.title
    assert "--out" not in small.hint and "ALEXNET_TUI_RUNS" in small.hint


@pytest.mark.usefixtures("_own_cache")
def test_damaged_speeds_are_forgotten_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "MOST_KEPT", 2)
    for damage in (b"{", b'{"a": 3}', b"\xff", b"[" * 100_000):
        speeds.speeds_path().parent.mkdir(parents=True, exist_ok=True)
        speeds.speeds_path().write_bytes(damage)
        assert speeds.look_up(CONFIG, SIZES)[1] is None
    for size in (64, 96, 128):
        config = TrainConfig(data="d", image_size=size, device="cpu")
        kept = speeds.keep_rate(config, SIZES, float(size), "measurement")
    assert speeds.look_up(TrainConfig(data="d", image_size=64, device="cpu"), SIZES)[1] is None
    assert speeds.look_up(config, SIZES)[1] == kept


@pytest.mark.usefixtures("_own_cache")
def test_a_device_in_use_is_not_measured() -> None:
    run = RunFolder.create(TrainConfig(data="/data", device="cpu"))
    assert runs_root() in run.path.parents
    with run.lock(), pytest.raises(UserError, match="Not measured"):
        speeds.refuse_busy(CONFIG)
    with run.writer() as log:
        log.write(ev.RunFailed(run="r", title="t", hint="h"))
    speeds.refuse_busy(CONFIG)


@pytest.mark.usefixtures("_own_cache")
def test_a_resumed_training_tells_its_speed() -> None:
    """Its last trainer did not say again what the pictures are."""
    run = RunFolder.create(CONFIG)
    with run.writer() as log:
        for event in (*begun((40, 24)), RESUMED, STARTED, TRAINING, ended(4)):
            log.write(event)
    speeds.keep_speed_of(run)
    _, speed = speeds.look_up(CONFIG, msgspec.structs.replace(SIZES, stored_size=48))
    assert speed is not None and speed.told_by == "training"
