"""What a GPU does otherwise, on a real one; without one nothing of this can be told, and all is skipped."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core import machine
from core.config import Tier, TrainConfig
from core.costs import Sizes, activations
from core.lifeline import LOOPBACK, FirstRank, Place
from core.model import alexnet
from core.model.card import Preprocessing
from core.model.folded import fold
from core.model.network import AlexNet
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints
from core.training import device, measure, recipe
from core.training.adamw import AdamW
from core.training.average import Average
from core.training.batches import AUGMENTATIONS, Part
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.learner import Origin
from core.training.loop import Command, Job, train
from core.training.meter import Meter
from core.training.ranks import join
from core.training.step import Step
from tests.core.conftest import cli, write_dataset

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")

CPU = torch.device("cpu")
SIZE, COUNT, BATCH = 96, 96, 32
ORIGIN = Origin(
    device="gpu", precision="bf16", versions={}, split_hash="h", channels=1, stored_size=SIZE
)


@pytest.fixture(autouse=True)
def gpu() -> Iterator[torch.device]:
    where = device.choose("cuda")
    yield where
    torch.cuda.set_per_process_memory_fraction(1.0)


def part(where: torch.device, tier: Tier, count: int = COUNT) -> Part:
    """Return noise that lies lighter above or below, by its label."""
    random = np.random.default_rng(1)
    labels = [i % 2 for i in range(count)]
    slopes = np.linspace(0, 120, SIZE)[None, None, :, None] * np.array(labels)[:, None, None, None]
    pixels = (slopes + random.integers(0, 130, (count, 1, SIZE, SIZE))).astype(np.uint8)
    spec = Preprocessing(stored_size=SIZE, channels=1, image_size=SIZE, mirrored=True)
    return Part(pixels, list(range(count)), labels, spec, where, tier)


class Training:
    """The program's own loop on an AlexNet on the GPU."""

    def __init__(self, folder: Path, epochs: int = 4, precision: str = "bf16") -> None:
        where = torch.device("cuda:0")
        config = TrainConfig(data="d", epochs=epochs, batch_size=BATCH, image_size=SIZE)
        torch.manual_seed(0)
        model = alexnet.build(2)
        copies = fold(model, SIZE)
        training = part(where, "device")
        first = next(training.shuffled(64, AUGMENTATIONS["none"], 0, 0)).images
        alexnet.calibrate(model, first.cpu())
        self.events: list[ev.Event] = []
        self.store = Checkpoints(folder)
        self.stop_at, self._asked = 0, 0
        self.keeper = BestKeeper(lambda state, epoch: None)
        self.job = Job(
            config=config,
            recipe=recipe.plan(config, COUNT, where),
            model=device.placed(model, where),
            copies=copies,
            weights=torch.ones(2, device=where),
            train=training,
            validation=part(where, "device", 16),
            device=where,
            precision=precision,
            probes=lambda _: [],
        )
        self.start = self.weights

    def newest(self) -> Command | None:
        self._asked += 1
        return "stop-now" if self._asked == self.stop_at else None

    def run(self) -> Training:
        saver = Saver(
            *(self.store, ORIGIN, self.job.recipe, self.events.append, self.store.newest()),
            began=time.monotonic(),
            seconds=0.0,
        )
        train(self.job, self.keeper, self, saver, self.events.append)
        saver.close()
        return self

    @property
    def epochs(self) -> list[ev.EpochEnded]:
        return [event for event in self.events if isinstance(event, ev.EpochEnded)]

    @property
    def weights(self) -> torch.Tensor:
        return torch.cat([p.detach().flatten().cpu() for p in self.job.model.parameters()])


def step_on(
    where: torch.device, batch: int, on_split: Callable[[int], None] = lambda parts: None
) -> tuple[AlexNet, AdamW, Step]:
    """Return a network on the device, its optimizer, and what takes a step with it in bf16."""
    model = alexnet.build(2)
    copies = fold(model, SIZE)
    model = device.placed(model, where).train()
    plan = recipe.plan(TrainConfig(data="d", batch_size=batch), max(batch, COUNT), where)
    optimizer = recipe.make_optimizer(model, plan, copies)
    scaler = torch.amp.GradScaler("cuda", enabled=False)
    weights = torch.ones(2, device=where)
    step = Step(model, optimizer, scaler, "bf16", weights, on_split=on_split)
    return model, optimizer, step


def moved_apart(one: Training, other: Training) -> float:
    """Return how far two trainings are apart, by how far the first has come from its start."""
    far = (one.weights - one.start).norm()
    return float((one.weights - other.weights).norm() / far)


def test_a_run_ends_with_a_model_that_answers_the_same_on_the_cpu(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    words = ["--image-size", 64, "--epochs", 40, "--batch-size", 8, "--learning-rate", "3e-4"]
    ran = cli("train", data, *words, "--json")
    assert ran.code == 0, ran.err
    (begun,) = [e for e in ran.objects if e["event"] == "training-started"]
    (certified,) = [e for e in ran.objects if e["event"] == "certified"]
    (end,) = [e for e in ran.objects if e["event"] == "run-ended"]
    assert begun["tier"] == "device"
    assert certified["passed"] and certified["same_label"] == certified["n"] == 16
    assert end["test"]["accuracy"] > 0.9


def test_batches_are_those_of_the_cpu_wherever_the_pixels_lie(gpu: torch.device) -> None:
    for tier in ("device", "memory", "disk"):
        there = part(gpu, tier).shuffled(BATCH, AUGMENTATIONS["strong"], 3, 2)
        here = part(CPU, "disk").shuffled(BATCH, AUGMENTATIONS["strong"], 3, 2)
        for one, other in zip(there, here, strict=True):
            assert one.images.is_cuda and one.labels.is_cuda
            assert torch.equal(one.labels.cpu(), other.labels)
            # Where a place of the grid falls between two pixels, it may be told from the other side.
            assert (one.images.cpu() - other.images).abs().mean() < 1e-4


def test_no_step_waits_for_the_device(gpu: torch.device) -> None:
    for recorded in (True, False):
        model, optimizer, step_alone = step_on(gpu, BATCH)
        learn = device.replayed(step_alone, 1000 if recorded else 0, gpu, "bf16")
        meter, average = Meter(gpu), Average(model, 1000)
        batches = part(gpu, "device")
        for epoch in range(6):
            shuffled = batches.shuffled(BATCH, AUGMENTATIONS["strong"], 0, epoch)
            # What a library or a recording has to look at is looked at before.
            torch.cuda.set_sync_debug_mode("error" if epoch >= 2 else "default")
            try:
                for step, batch in enumerate(shuffled):
                    recipe.set_learning_rate(optimizer, 1e-4)
                    logits = learn(*batch)
                    average.update(step)
                    meter.add(logits, batch.labels, batch.whole)
            finally:
                torch.cuda.set_sync_debug_mode("default")


def test_a_recorded_step_learns_what_one_done_kernel_by_kernel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "LEAST_REPLAYED", 1)
    recorded = Training(tmp_path / "a", epochs=8, precision="fp32").run()
    monkeypatch.setattr(device, "LEAST_REPLAYED", 10**9)
    one_by_one = Training(tmp_path / "b", epochs=8, precision="fp32").run()
    print(
        "recorded is the other to the last bit:", torch.equal(recorded.weights, one_by_one.weights)
    )
    losses = [[event.loss for event in run.epochs] for run in (recorded, one_by_one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0][-1] < losses[0][0]
    assert moved_apart(recorded, one_by_one) < 0.05


def test_a_rank_over_nccl_learns_what_one_that_is_alone_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One GPU takes one rank: group, gradients' buckets and pooled sums are made by the lines of several.
    monkeypatch.setattr(device, "LEAST_REPLAYED", 10**9)
    monkeypatch.setenv("MASTER_ADDR", LOOPBACK)
    with socket.create_server((LOOPBACK, 0)) as free:
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "1")
    runs = []
    for number in range(2):
        run = Training(tmp_path / str(number), epochs=8, precision="fp32")
        for module in run.job.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        runs.append(run)
    alone, ranked = runs
    alone.run()
    with FirstRank(Place(), [], lambda error: pytest.fail(str(error)), "") as line:
        ranks = join(line)
        assert ranks.choose("cuda") == ranked.job.device
        assert ranks.name(ranked.job.device).startswith("1 × ")
        ranked.job = dataclasses.replace(ranked.job, ranks=ranks)
        ranked.run()
        ranks.leave()
    assert ranked.epochs[-1].loss == pytest.approx(alone.epochs[-1].loss, rel=1e-2)
    assert ranked.epochs[-1].loss < ranked.epochs[0].loss
    assert moved_apart(alone, ranked) < 0.05


@pytest.mark.parametrize("least", [1, 10**9])
def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    monkeypatch.setattr(device, "LEAST_REPLAYED", least)
    whole = Training(tmp_path / "a").run()
    stopped = Training(tmp_path / "b")
    # Three steps an epoch, after each of which it is asked once more: in the middle of the second.
    stopped.stop_at = 7
    stopped.run()
    newest = stopped.store.newest()
    assert newest is not None and newest.step == 5
    resumed = Training(tmp_path / "b").run()
    print("resumed is the other to the last bit:", torch.equal(whole.weights, resumed.weights))
    assert len(resumed.epochs) < 4
    assert resumed.epochs[-1].loss == pytest.approx(whole.epochs[-1].loss, rel=2e-2)
    assert moved_apart(whole, resumed) < 0.05


def test_half_precision_with_a_scaler_learns_too(tmp_path: Path) -> None:
    run = Training(tmp_path / "c", epochs=8, precision="fp16").run()
    assert run.epochs[-1].loss < run.epochs[0].loss
    assert torch.isfinite(run.weights).all()


def test_pixels_that_do_not_fit_are_trained_from_memory(gpu: torch.device) -> None:
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(gpu).total_memory
    left = torch.cuda.memory_reserved(gpu) + 2 * 2**20
    torch.cuda.set_per_process_memory_fraction(left / total)
    kept = part(gpu, "device", count=4096)
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert kept.tier == "memory"
    assert next(kept.shuffled(8, AUGMENTATIONS["light"], 0, 0)).images.is_cuda


def test_c104_a_batch_that_does_not_fit_is_done_in_parts(gpu: torch.device) -> None:
    count, told = 2048, list[int]()
    model, _, step = step_on(gpu, count, told.append)
    images = torch.randn(count, 3, SIZE, SIZE, device=gpu)
    labels = torch.randint(0, 2, (count,), device=gpu)
    torch.cuda.empty_cache()
    # Gradients and moments fit, and six tenths of what the pictures leave in half precision.
    weights = 4 * sum(p.numel() * 4 for p in model.parameters())
    room = weights + 0.6 * count * activations(SIZE, backward=True) / 2
    total = torch.cuda.get_device_properties(gpu).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(gpu) + room) / total)
    logits = step(images, labels, count)
    print("parts:", told)
    assert told and logits.shape == (count, 2) and torch.isfinite(logits).all()


def test_the_driver_names_the_gpu_as_torch_does(gpu: torch.device) -> None:
    (first, *_) = machine.gpus()
    assert first.is_gpu and first.name == device.name(gpu)
    assert first.memory_total == pytest.approx(torch.cuda.mem_get_info(gpu)[1], rel=0.05)


def test_the_pace_is_measured_on_the_gpu_too() -> None:
    sizes = Sizes(classes=2, train=8000, validation=800, test=2000, channels=1, stored_size=SIZE)
    config = TrainConfig(data="d", image_size=SIZE, device="cuda")
    pace = measure.images_per_second(config, sizes)
    print(f"{pace:.0f} images/s")
    assert 0 < pace < 1e7
