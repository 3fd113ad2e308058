"""The network is torchvision's AlexNet to the last bit, and answers without loading torchvision."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torchvision.models import alexnet

from core.model.network import AlexNet
from tests.core.conftest import ROOT

ANSWER = """
import sys, numpy as np, torch
from pathlib import Path
from core.model import bundle
from core.model.card import Card, Preprocessing, Results
from core.prediction.predictor import Predictor
spec = Preprocessing(stored_size=64, channels=1, image_size=64, mirrored=True)
card = Card(classes=["a", "b"], preprocessing=spec, settings={}, split_hash="",
            results=Results(epochs=1, best_epoch=1, validation_accuracy=1.0))
tensors = {name: np.zeros(shape, np.float32) for name, shape in bundle.alexnet_shapes(2).items()}
model = bundle.Model(path=Path(), card=card, tensors=tensors, digest="")
answers = Predictor(model).probabilities(np.zeros((1, 1, 64, 64), np.uint8))
print(*answers.shape, *sorted({"torchvision", "torch._dynamo", "sympy"} & set(sys.modules)))
"""


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("side", [64, 100])
def test_it_is_torchvisions_to_the_last_bit(classes: int, side: int) -> None:
    torch.manual_seed(0)
    theirs, ours = alexnet(num_classes=classes).eval(), AlexNet(classes).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
    assert [m.p for m in ours.modules() if isinstance(m, torch.nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize("images", [1, 3])
def test_it_answers_and_learns_alike_in_either_layout_of_memory(images: int) -> None:
    torch.manual_seed(0)
    planes, last = AlexNet(2).eval(), AlexNet(2).eval()
    last.load_state_dict(planes.state_dict())
    last.to(memory_format=torch.channels_last)
    seen = torch.randn(images, 3, 96, 96)
    answers = [network(seen) for network in (planes, last)]
    for answer in answers:
        answer.square().sum().backward()
    torch.testing.assert_close(answers[1], answers[0])
    for ours, theirs in zip(last.parameters(), planes.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_an_answer_waits_for_no_compiler() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "2"]
