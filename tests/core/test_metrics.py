"""The figures of the report, against values worked out by hand or in the literature."""

from __future__ import annotations

import pytest

from core.evaluation.metrics import evaluated, interval


def test_the_interval_is_wilsons() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    for right, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
    ]:
        got = interval(right, n)
        assert (got.low, got.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 2000])
def test_the_interval_holds_the_accuracy_even_at_the_ends(n: int) -> None:
    for right in (0, n // 2, n):
        got = interval(right, n)
        assert 0 <= got.low <= got.accuracy <= got.high <= 1


def test_no_pictures_give_no_accuracy() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        interval(0, 0)


def test_confusion_precision_recall_and_f1() -> None:
    truths = [0, 0, 0, 0, 1, 1, 2]
    answers = [0, 0, 0, 1, 1, 0, 0]
    got = evaluated(truths, answers, ["a", "b", "c"], loss=0.5)
    assert got.confusion == [[3, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert got.accuracy == pytest.approx(4 / 7) and got.n == 7
    assert got.precision == pytest.approx([3 / 5, 1 / 2, 0])
    assert got.recall == pytest.approx([3 / 4, 1 / 2, 0])
    assert got.f1 == pytest.approx([2 / 3, 1 / 2, 0])
