"""The answers to many pictures: counted, sorted and filtered for a table, without any widget."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.engine import Answer, Refusal


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer without its picture; a number a class, in the order of `classes`, which all share."""

    source: str
    label: str
    confidence: float
    sure: bool
    classes: tuple[str, ...]
    chances: array[float]

    def likeliest(self, most: int) -> list[tuple[str, float]]:
        """Return the `most` likeliest classes, the likeliest first."""
        named = zip(self.classes, self.chances, strict=True)
        return heapq.nlargest(most, named, key=lambda pair: pair[1])

    def whole(self) -> Answer:
        """Return the answer as a table takes it."""
        return Answer(
            source=self.source,
            label=self.label,
            confidence=self.confidence,
            sure=self.sure,
            probabilities=dict(zip(self.classes, self.chances, strict=True)),
            milliseconds=0.0,
        )


def kept(outcome: Answer | Refusal, classes: tuple[str, ...]) -> Outcome:
    """Return what is kept of an outcome: of a thousand classes 8 KB, where a dict takes 49."""
    if isinstance(outcome, Refusal):
        return outcome
    chances = array("d", [outcome.probabilities[name] for name in classes])
    return Kept(outcome.source, outcome.label, outcome.confidence, outcome.sure, classes, chances)


Outcome = Kept | Refusal
Order = Literal["as given", "least sure first", "surest first", "by answer"]
ORDERS: tuple[Order, ...] = ("as given", "least sure first", "surest first", "by answer")
ALL, UNSURE, FAILED = "all", "not sure", "no answer"
# More kinds than these are not gone through by one key; `/` finds the others.
_MOST_KINDS = 12


class AnswerList:
    """All outcomes in the order of their sources, and which of them are `shown` in which order."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.counts: Counter[str] = Counter()
        self.unsure = 0
        self.failed = 0
        self.order: Order = ORDERS[0]
        # What is looked at: all, the unsure, the failed, or `=` and the name of a class.
        self.only = ALL
        self.words = ""
        self.shown: list[int] = []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take `outcomes` in, which come after those there are."""
        first = len(self.outcomes)
        self.outcomes.extend(outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                self.failed += 1
            else:
                self.counts[outcome.label] += 1
                self.unsure += not outcome.sure
        self.shown.extend(self._wanted(range(first, len(self.outcomes))))
        self._sort()

    def next_order(self) -> None:
        """Sort by the next of the ways there are."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._sort()

    def next_kind(self) -> None:
        """Look at the next kind of answers that there are any of."""
        kinds = [ALL, *([UNSURE] if self.unsure else []), *([FAILED] if self.failed else [])]
        kinds += [f"={label}" for label, _ in self.counts.most_common(_MOST_KINDS)]
        at = kinds.index(self.only) if self.only in kinds else -1
        self.only = kinds[(at + 1) % len(kinds)]
        self._choose()

    def find(self, words: str) -> None:
        """Look only at sources and answers that hold `words`, whatever their case."""
        self.words = words.casefold()
        self._choose()

    def _choose(self) -> None:
        self.shown = list(self._wanted(range(len(self.outcomes))))
        self._sort()

    def _wanted(self, indices: Iterable[int]) -> Iterable[int]:
        return (i for i in indices if self._is_wanted(self.outcomes[i]))

    def _is_wanted(self, outcome: Outcome) -> bool:
        label = None if isinstance(outcome, Refusal) else outcome.label
        if self.only == FAILED and label is not None:
            return False
        if self.only == UNSURE and (isinstance(outcome, Refusal) or outcome.sure):
            return False
        if self.only.startswith("=") and label != self.only[1:]:
            return False
        return self.words in f"{label or ''} {outcome.source}".casefold()

    def _sort(self) -> None:
        # What was sorted before and what is new are two runs, which the sort only merges.
        if self.order != "as given":
            self.shown.sort(key=self._key)
        else:
            self.shown.sort()

    def _key(self, index: int) -> tuple[float | str, float, int]:
        """Return the place of an outcome; one without an answer comes last."""
        outcome = self.outcomes[index]
        if isinstance(outcome, Refusal):
            return ("\U0010ffff" if self.order == "by answer" else 2.0), 0.0, index
        if self.order == "by answer":
            return outcome.label, -outcome.confidence, index
        return (
            (outcome.confidence, 0.0, index)
            if self.order == "least sure first"
            else (-outcome.confidence, 0.0, index)
        )
