"""A step where the memory is too small for its batch: the same step in parts, or plain words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.errors import RunFailedError
from core.evaluation.answers import answer
from core.model.card import Preprocessing
from core.training.adamw import AdamW
from core.training.batches import Part
from core.training.step import Step


class Small(nn.Module):
    """A network on a device that has room for so many pictures."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)
        self._room = room

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self._room:
            raise torch.OutOfMemoryError
        out: Tensor = self.layer(images.flatten(1))
        return out


class Looking(Small):
    """The same for pictures, of which it sees one corner."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images[:, :, 0, 0])


class Descent(AdamW):
    """Moves by the gradient itself, so that what is wrong with it is seen."""

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.state:
            assert parameter.grad is not None
            parameter.sub_(parameter.grad)


def stepped(room: int) -> tuple[Tensor, Tensor, list[int]]:
    """Return the weights and logits after a step with seven pictures, and in how many parts it was done."""
    network, told = Small(room), list[int]()
    optimizer = Descent([{"params": list(network.parameters())}])
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    step = Step(network, optimizer, scaler, "fp32", torch.tensor([1.0, 3.0]), on_split=told.append)
    images = torch.randn(7, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    logits = step(images, torch.tensor([0, 1, 1, 0, 1, 0, 0]), 7)
    assert all(p.grad is None for p in network.parameters())
    return network.layer.weight.detach(), logits, told


def test_c104_a_batch_in_parts_is_the_same_step() -> None:
    weight, logits, told = stepped(room=7)
    assert told == []
    for room, parts in ((4, [2]), (2, [2, 4]), (1, [2, 4, 7])):
        in_parts = stepped(room)
        assert in_parts[2] == parts
        assert torch.allclose(in_parts[0], weight, atol=1e-6)
        assert torch.allclose(in_parts[1], logits, atol=1e-6)


def test_c104_an_answer_without_room_is_given_in_smaller_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (11, 3, 64, 64), np.uint8)
    spec = Preprocessing(stored_size=64, channels=3, image_size=64)
    part = Part(pixels, list(range(11)), [0] * 11, spec, torch.device("cpu"), "disk")
    monkeypatch.setattr("core.evaluation.answers.evaluated_at_once", lambda *_: 8)
    whole, small = Looking(8), Looking(2)
    whole.load_state_dict(small.state_dict())
    expected, found = answer(whole, part), answer(small, part)
    assert torch.allclose(found.probabilities, expected.probabilities, atol=1e-6)
    with pytest.raises(torch.OutOfMemoryError):
        answer(Looking(0), part)


def test_c104_without_room_for_one_picture_it_says_so() -> None:
    with pytest.raises(RunFailedError, match="memory is full"):
        stepped(room=0)
