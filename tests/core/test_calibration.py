"""Confidence that means what it says: the temperature, and what tells whether it was needed."""

from __future__ import annotations

import math

import pytest
import torch

from core.evaluation.calibration import Reliability
from core.model.card import Preprocessing
from core.model.preprocess import log_probabilities
from core.training.temperature import LEAST, MOST, fit_temperature

SPEC = Preprocessing(stored_size=64, channels=1, image_size=64)


def drawn(count: int, classes: int) -> tuple[torch.Tensor, list[int]]:
    """Return logits, and labels that come out as often as their softmax says."""
    draw = torch.Generator().manual_seed(count + classes)
    logits = 2 * torch.randn(count, classes, generator=draw)
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    return logits, labels.tolist()


def loss(probabilities: torch.Tensor, labels: list[int], temperature: float) -> float:
    logarithms = (probabilities.double().log() / temperature).log_softmax(1)
    return float(torch.nn.functional.nll_loss(logarithms, torch.tensor(labels)))


@pytest.mark.parametrize("classes", [2, 3, 100])
@pytest.mark.parametrize("wrong_by", [0.5, 1.0, 3.0])
def test_answers_that_are_too_sure_or_not_sure_enough_are_set_right(
    classes: int, wrong_by: float
) -> None:
    logits, labels = drawn(20_000, classes)
    probabilities = (logits * wrong_by).double().softmax(1)
    found = fit_temperature(probabilities, labels)
    assert found == pytest.approx(wrong_by, rel=0.05)
    here = loss(probabilities, labels, found)
    # Found on half of them, which are as many as it takes.
    for other in (1.0, 0.9 * found, 1.1 * found):
        assert here <= loss(probabilities, labels, other) + 1e-3
    right = Reliability()
    before = Reliability()
    answers = probabilities.argmax(1).tolist()
    calibrated = (probabilities.log() / found).softmax(1)
    for answer, label, sure, was in zip(
        answers, labels, calibrated.amax(1).tolist(), probabilities.amax(1).tolist(), strict=True
    ):
        right.add(sure, answer == label)
        before.add(was, answer == label)
    assert right.calibration.error < 0.02
    if wrong_by != 1.0:
        assert before.calibration.error > 3 * right.calibration.error
    assert calibrated.argmax(1).tolist() == answers


def test_a_small_part_that_is_all_right_makes_no_model_sure_of_everything() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.35, 0.65]])
    found = fit_temperature(probabilities, [0, 1, 0, 1])
    sure = (probabilities.double().log() / found).softmax(1).amax(1)
    assert LEAST <= found < 1 and float(sure.mean()) < 1 - 1 / (len(sure) + 2) + 0.05


def test_what_no_temperature_can_mend_stays_within_bounds() -> None:
    # Always wrong and sure of it; all alike; underflown to 0.
    assert fit_temperature(torch.tensor([[0.99, 0.01]] * 50), [1] * 50) == pytest.approx(MOST)
    assert LEAST <= fit_temperature(torch.full((50, 4), 0.25), [0] * 50) <= MOST
    found = fit_temperature(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), [0, 1, 1])
    assert LEAST <= found <= MOST and math.isfinite(found)


def test_the_temperature_divides_the_logarithms_of_the_answer() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.5, 0.2]])
    network = torch.nn.Identity()
    plain = log_probabilities(network, logits, SPEC)
    assert torch.equal(plain, logits.log_softmax(1))
    spec = Preprocessing(stored_size=64, channels=1, image_size=64, temperature=2.0)
    assert torch.allclose(log_probabilities(network, logits, spec), (logits / 2).log_softmax(1))
    assert (SPEC.version, spec.version) == (1, 3)


def test_the_error_is_the_mean_distance_of_confidence_and_accuracy() -> None:
    found = Reliability()
    assert not found.calibration.bins and found.calibration.error == found.mean_confidence == 0
    for confidence, right in ((0.55, True), (0.59, False), (0.95, True), (1.0, True)):
        found.add(confidence, right)
    low, high = found.calibration.bins
    assert (low.low, low.high, low.n, low.accuracy) == (0.5, 0.6, 2, 0.5)
    assert (high.low, high.high, high.n, high.accuracy) == (0.9, 1.0, 2, 1.0)
    assert low.confidence == pytest.approx(0.57) and high.confidence == pytest.approx(0.975)
    assert found.calibration.error == pytest.approx((2 * 0.07 + 2 * 0.025) / 4)
    assert found.mean_confidence == pytest.approx((0.55 + 0.59 + 0.95 + 1.0) / 4)
