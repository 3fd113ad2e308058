"""Input, batches, recipe and start of training: the same draws for the same seed, and no surprises."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from core import machine
from core.config import Tier, TrainConfig
from core.evaluation.answers import answer
from core.model.alexnet import build, calibrate
from core.model.bundle import alexnet_shapes
from core.model.card import Preprocessing
from core.model.preprocess import log_probabilities, to_input
from core.training import batches, recipe
from core.training.batches import AUGMENTATIONS, Part
from core.training.dead import observed
from core.training.meter import Meter

CPU = torch.device("cpu")


def spec(stored: int = 64, size: int = 64, channels: Any = 3) -> Preprocessing:
    return Preprocessing(stored_size=stored, channels=channels, image_size=size)


def part(count: int = 10, how: Preprocessing | None = None) -> Part:
    how = how or spec()
    shape = (count, how.channels, how.stored_size, how.stored_size)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = [i % 2 for i in range(count)]
    return Part(pixels, list(range(count)), labels, how, CPU, "disk")


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec().mean, spec().std))
    return (pixels.float() / 255 - mean) / std


def test_at_the_stored_size_the_input_is_the_picture_itself() -> None:
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert torch.allclose(to_input(pixels, spec()), normalised(pixels), atol=1e-4)


def test_a_margin_is_cut_off_evenly() -> None:
    pixels = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    seen = to_input(pixels, spec(stored=80))
    assert torch.allclose(seen, normalised(pixels)[..., 8:72, 8:72], atol=1e-4)


def test_gray_pixels_fill_three_channels() -> None:
    pixels = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8)
    seen = to_input(pixels, spec(channels=1))
    assert torch.allclose(seen, normalised(pixels.expand(2, 3, 64, 64)), atol=1e-4)


def test_an_epoch_shows_every_picture_once_and_another_order_next_time() -> None:
    marked = Part(
        np.arange(10, dtype=np.uint8).repeat(64 * 64).reshape(10, 1, 64, 64),
        list(range(10)),
        list(range(10)),
        spec(channels=1),
        CPU,
        "disk",
    )
    orders = [
        [
            label
            for batch in marked.shuffled(4, AUGMENTATIONS["light"], 0, e)
            for label in batch.labels.tolist()
        ]
        for e in (1, 2)
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


def test_batches_are_a_function_of_seed_and_epoch_alone() -> None:
    def images(seed: int, epoch: int) -> torch.Tensor:
        batches = part().shuffled(4, AUGMENTATIONS["strong"], seed, epoch)
        return torch.cat([batch.images for batch in batches])

    assert torch.equal(images(1, 2), images(1, 2))
    assert not torch.equal(images(1, 2), images(2, 2))


def test_batches_are_the_same_wherever_pixels_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two pictures a piece, so that the last piece is not full.
    monkeypatch.setattr(batches, "PIECE_BYTES", 2 * 3 * 64**2)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 3, 64, 64), np.uint8)
    tiers: tuple[Tier, ...] = ("disk", "memory", "device")
    first, *others = (
        next(
            Part(pixels, [7, 1, 4], [1, 0, 1], spec(), CPU, tier).shuffled(
                3, AUGMENTATIONS["strong"], 0, 1
            )
        )
        for tier in tiers
    )
    for batch in others:
        assert torch.equal(batch.images, first.images)
        assert torch.equal(batch.labels, first.labels)


def test_every_picture_of_a_batch_is_changed_in_its_own_way() -> None:
    same = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8).repeat(6, 0)
    whole = Part(same, list(range(6)), [0] * 6, spec(), CPU, "disk")
    (batch,) = whole.shuffled(6, AUGMENTATIONS["light"], 0, 1)
    differences = [(batch.images[i] - batch.images[0]).abs().max() for i in range(1, 6)]
    assert min(differences) > 0.1


def test_without_augmentation_the_pictures_are_as_they_are_evaluated() -> None:
    whole = part()
    plain = {
        tuple(b.images[i].flatten()[:50].tolist())
        for b in whole.in_order(4)
        for i in range(len(b.labels))
    }
    drawn = whole.shuffled(4, AUGMENTATIONS["none"], 0, 1)
    assert {
        tuple(b.images[i].flatten()[:50].tolist()) for b in drawn for i in range(len(b.labels))
    } == plain


@pytest.mark.parametrize(("pictures", "largest"), [(1, 1), (65, 64), (128, 128)])
def test_no_batch_is_a_small_rest(pictures: int, largest: int) -> None:
    sizes = [len(b.labels) for b in part(pictures).shuffled(64, AUGMENTATIONS["none"], 0, 1)]
    assert sum(sizes) == pictures and max(sizes) - min(sizes) <= 1 and max(sizes) <= 64


def test_the_batch_is_never_larger_than_the_set() -> None:
    plan = recipe.plan(TrainConfig(data="d", batch_size=4096), 10, CPU)
    assert plan.batch_size == 10 and plan.steps_per_epoch == 1


def test_the_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    plan = recipe.plan(TrainConfig(data="d", epochs=10), 6400, CPU)
    rates = [recipe.learning_rate(plan, step) for step in range(plan.steps)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(plan.learning_rate)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[0] < max(rates) / 10 and rates[-1] < max(rates) / 100


@pytest.mark.parametrize("classes", [2, 7])
def test_the_model_is_torchvisions_and_starts_without_an_opinion(classes: int) -> None:
    torch.manual_seed(0)
    model = build(classes).eval()
    calibrate(model, next(part(16).in_order(16)).images)
    assert {k: tuple(v.shape) for k, v in model.state_dict().items()} == alexnet_shapes(classes)
    (batch,) = part(16).in_order(16)
    with torch.no_grad():
        logits = model(batch.images)
    loss = torch.nn.functional.cross_entropy(logits, batch.labels % classes)
    assert abs(float(loss) - math.log(classes)) < 0.2
    # Activations that die out on the way would make all answers the same.
    assert logits.std(0).min() > 0.003


def test_c106_a_step_whose_gradient_is_not_a_number_changes_nothing() -> None:
    model = torch.nn.Linear(3, 2)
    plan = recipe.plan(TrainConfig(data="/data", epochs=1), 8, CPU)
    optimizer = recipe.make_optimizer(model, plan, copies=1.0)
    seen = []
    for poison in (1.0, math.nan, math.inf, 1.0):
        optimizer.zero_grad()
        loss = model(torch.tensor([[1.0, 2.0, poison]])).sum()
        loss.backward()
        recipe.skip_if_not_finite(optimizer)
        optimizer.step()
        seen.append(model.weight.detach().clone())
    assert torch.equal(seen[0], seen[1]) and torch.equal(seen[1], seen[2])
    assert not torch.equal(seen[2], seen[3]) and bool(seen[3].isfinite().all())
    (state, _) = optimizer.state.values()
    assert state["step"] == 2


def test_classes_count_alike_until_one_has_half_as_many_again() -> None:
    assert recipe.class_weights([100, 149]) == [1.0, 1.0]
    common, rare = recipe.class_weights([900, 100])
    assert rare / common == pytest.approx(3.0)
    assert 900 * common + 100 * rare == pytest.approx(1000)


@pytest.mark.parametrize(("free", "tier"), [(10**9, "memory"), (10**4, "disk")])
def test_pixels_that_a_full_device_does_not_take_go_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, free: int, tier: Tier
) -> None:
    gather, tried = batches._gathered, []

    def full(*given: Any) -> torch.Tensor:
        tried.append(given)
        if len(tried) == 1:
            raise torch.OutOfMemoryError
        return gather(*given)

    monkeypatch.setattr(machine, "free_memory", lambda: free)
    monkeypatch.setattr(batches, "_gathered", full)
    pixels = np.zeros((4, 3, 64, 64), np.uint8)
    held = Part(pixels, list(range(4)), [0, 1, 0, 1], spec(), CPU, "device")
    assert held.tier == tier
    assert len(next(held.in_order(4)).images) == 4


def test_a_look_tells_the_mean_and_the_worst_of_its_steps() -> None:
    def logits(right: float) -> torch.Tensor:
        return torch.tensor([[right, 0.0]] * 4)

    meter, labels = Meter(CPU), torch.zeros(4, dtype=torch.int64)
    for right in (0.0, -8.0, 2.0):
        meter.add(logits(right), labels, whole=4)
    look = meter.read(epoch=1, step=3, learning_rate=1e-3)
    assert look is not None
    losses = [math.log1p(math.exp(-right)) for right in (0.0, -8.0, 2.0)]
    assert look.highest == pytest.approx(losses[1], rel=1e-5)
    assert look.loss == pytest.approx(sum(losses) / 3, rel=1e-5)
    # The next look knows nothing of it any more.
    meter.add(logits(2.0), labels, whole=4)
    look = meter.read(epoch=1, step=4, learning_rate=1e-3)
    assert look is not None and look.highest == pytest.approx(losses[2], rel=1e-5)
    assert look.loss == pytest.approx(look.highest)


def test_an_answer_to_a_mirrored_model_is_the_same_for_the_mirror_image() -> None:
    torch.manual_seed(0)
    model = build(3).eval()
    (batch,) = part(4).in_order(4)
    both = msgspec.structs.replace(spec(), mirrored=True)
    with torch.inference_mode():
        plain, mirror = (
            log_probabilities(model, x, spec()) for x in (batch.images, batch.images.flip(3))
        )
        one, other = (
            log_probabilities(model, x, both) for x in (batch.images, batch.images.flip(3))
        )
    assert not torch.allclose(plain, mirror)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one.exp(), (plain.exp() + mirror.exp()) / 2)
    torch.testing.assert_close(one.exp().sum(1), torch.ones(4))
    assert not msgspec.json.decode(
        b'{"stored_size":64,"channels":1,"image_size":64}', type=Preprocessing
    ).mirrored


@pytest.mark.parametrize("dead", [0, 48, 64])
def test_dead_units_are_those_that_no_picture_excites(dead: int) -> None:
    torch.manual_seed(0)
    model, pictures = build(2), part()
    calibrate(model, next(pictures.in_order(10)).images)
    with torch.no_grad():
        model.get_parameter("features.0.bias")[:dead] = -1e6
    plain = answer(model, pictures)
    with observed(model) as seen:
        observed_answers = answer(model, pictures)
    # Without the first layer all others see nothing either, but for their biases, which are zero.
    assert seen.share >= dead / 64 and (dead or seen.share < 0.5)
    assert (seen.share == 1.0) == (dead == 64)
    assert torch.equal(observed_answers.probabilities, plain.probabilities)
    before = seen.share
    answer(model, pictures)
    assert seen.share == before
