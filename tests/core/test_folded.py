"""The folded first dense layer: the same answers and the same training as AlexNet's own, in less work."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.costs import last_map
from core.model import alexnet
from core.model.folded import fold, unfolded
from core.model.network import AlexNet
from core.training import recipe
from core.training.average import Average

PLAN = recipe.Recipe(
    batch_size=8, steps_per_epoch=2, steps=4, learning_rate=1e-4, usual_learning_rate=1e-4
)


def network() -> AlexNet:
    torch.manual_seed(0)
    model = alexnet.build(3)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def pictures(size: int) -> torch.Tensor:
    return torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(1))


def answers_of_unfolded(model: AlexNet, images: torch.Tensor) -> torch.Tensor:
    plain = alexnet.from_tensors(alexnet.to_tensors(unfolded(model.state_dict())))
    with torch.inference_mode():
        found: torch.Tensor = plain(images)
    return found


@pytest.mark.parametrize("size", [64, 96, 130, 160, 200, 224, 256])
def test_it_answers_as_before_and_is_unfolded_to_an_alexnet_that_does(size: int) -> None:
    model, images = network().eval(), pictures(size)
    with torch.inference_mode():
        assert model.features(images).shape[-1] == last_map(size)
        before = model(images)
        copies = fold(model, size)
        after = model(images)
    assert copies == (36 / last_map(size) ** 2 if size < 224 else 1.0)
    scale = before.abs().max()
    assert (after - before).abs().max() < 1e-5 * scale
    assert (answers_of_unfolded(model, images) - before).abs().max() < 1e-5 * scale


@pytest.mark.parametrize("size", [64, 96, 130])
def test_trained_folded_it_answers_as_trained_in_full(size: int) -> None:
    images, labels = pictures(size), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    full = network()
    small = copy.deepcopy(full)
    pairs = [(full, 1.0), (small, fold(small, size))]
    for model, copies in pairs:
        optimizer = recipe.make_optimizer(model, PLAN, copies)
        recipe.set_learning_rate(optimizer, PLAN.learning_rate)
        for _ in range(4):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.inference_mode():
        expected = full.eval()(images)
    difference = (answers_of_unfolded(small, images) - expected).abs().max()
    assert difference < 2e-3 * expected.abs().max()


def test_the_average_begins_near_the_weights_and_ends_as_their_running_mean() -> None:
    source = nn.Linear(1, 1, bias=False)
    average = Average(source, steps=10_000)
    (mean,) = average.model.parameters()
    with torch.no_grad():
        source.weight.fill_(1.0)
    for step in range(1, 41):
        average.update(step)
    assert abs(mean.item() - 1.0) < 1e-3, "the random start is soon forgotten"
    with torch.no_grad():
        source.weight.fill_(2.0)
    for step in range(9_001, 9_601):
        average.update(step)
    # A window of 600 steps: after as many 1 - 1/e of the way, here in 150 updates.
    assert mean.item() == pytest.approx(2 - (1 - 1 / 150) ** 150, abs=1e-3)
