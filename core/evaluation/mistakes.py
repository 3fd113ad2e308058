"""Which pictures a model gets wrong, worst first, and which it gets right but is least sure of."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from core.evaluation.calibration import Calibration, Reliability
from core.runs.answers import Told

# So many right answers are kept of each class, the least sure.
UNSURE_PER_CLASS = 50


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    """The answers worth a look: all `wrong` ones, the surest first; of each class the least sure `right`
    ones, the least sure first; of how many, the mean confidence of all, right and wrong, and what it is worth.
    """

    wrong: tuple[Told, ...]
    right: tuple[Told, ...]
    answered: int
    mean_confidence: float
    calibration: Calibration = Calibration()


class Confused(NamedTuple):
    """How many pictures of the class `truth` were taken for `answer`, both by index; `share` is of 1."""

    truth: int
    answer: int
    pictures: int
    share: float


def mistakes(answers: Iterable[Told]) -> Mistakes | None:
    """Sort `answers`; None where there are none. No more is kept of them than is returned."""
    names: dict[str, str] = {}
    wrong: list[Told] = []
    unsure: dict[str, list[tuple[float, int, Told]]] = {}
    reliability = Reliability()
    for answered, answer in enumerate(answers, 1):
        reliability.add(answer.confidence, answer.truth == answer.label)
        # The same few names over and over take memory once.
        truth, label = (names.setdefault(name, name) for name in (answer.truth, answer.label))
        told = Told(answer.path, truth, label, answer.confidence)
        if truth != label:
            wrong.append(told)
            continue
        heap = unsure.setdefault(truth, [])
        entry = (-told.confidence, answered, told)
        if len(heap) < UNSURE_PER_CLASS:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    if not reliability.answered:
        return None
    right = [told for heap in unsure.values() for _, _, told in heap]
    return Mistakes(
        wrong=tuple(sorted(wrong, key=lambda told: -told.confidence)),
        right=tuple(sorted(right, key=lambda told: told.confidence)),
        answered=reliability.answered,
        mean_confidence=reliability.mean_confidence,
        calibration=reliability.calibration,
    )


def among(
    answers: Iterable[Told], truth: str | None = None, label: str | None = None
) -> tuple[Told, ...]:
    """Return those of `answers` to pictures of `truth` that say `label`; None stands for any."""
    return tuple(
        told
        for told in answers
        if (truth is None or told.truth == truth) and (label is None or told.label == label)
    )


def confused(confusion: Sequence[Sequence[int]], most: int) -> tuple[Confused, ...]:
    """Return the `most` pairs of classes that are taken for each other most often, the worst first."""
    # Plain tuples in the order of their worth: a thousand classes have a million pairs.
    pairs = (
        (pictures, pictures / total, -truth, -answer)
        for truth, (row, total) in enumerate((row, sum(row)) for row in confusion)
        for answer, pictures in enumerate(row)
        if pictures and answer != truth
    )
    return tuple(
        Confused(-truth, -answer, pictures, share)
        for pictures, share, truth, answer in heapq.nlargest(most, pairs)
    )
