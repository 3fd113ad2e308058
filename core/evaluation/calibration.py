"""Whether confidence means what it says: how often answers of about the same confidence are right."""

from __future__ import annotations

import msgspec

BINS = 10


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that are from `low` to `high` sure: how many, their mean confidence, and how often they are right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The bins that are not empty, and by how much confidence and accuracy differ in the mean over all answers.

    That is the expected calibration error of Naeini et al., "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning", AAAI 2015, with ten bins of the same width.
    """

    bins: tuple[Bin, ...] = ()
    error: float = 0.0


class Reliability:
    """Takes answers one by one."""

    def __init__(self) -> None:
        self._n = [0] * BINS
        self._confidence = [0.0] * BINS
        self._right = [0] * BINS

    def add(self, confidence: float, right: bool) -> None:
        """Count an answer of which the model was `confidence` sure, from 0 to 1."""
        number = min(int(confidence * BINS), BINS - 1)
        self._n[number] += 1
        self._confidence[number] += confidence
        self._right[number] += right

    @property
    def answered(self) -> int:
        """How many answers were counted."""
        return sum(self._n)

    @property
    def mean_confidence(self) -> float:
        """The mean confidence of all answers, 0 of none."""
        return sum(self._confidence) / max(self.answered, 1)

    @property
    def calibration(self) -> Calibration:
        """What the answers add up to."""
        bins = tuple(
            Bin(
                low=number / BINS,
                high=(number + 1) / BINS,
                n=n,
                confidence=self._confidence[number] / n,
                accuracy=self._right[number] / n,
            )
            for number, n in enumerate(self._n)
            if n
        )
        apart = sum(one.n * abs(one.accuracy - one.confidence) for one in bins)
        return Calibration(bins=bins, error=apart / max(self.answered, 1))
