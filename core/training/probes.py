"""A few validation pictures, the same after every epoch, for the eye to follow."""

from __future__ import annotations

from core.dataset.split import Manifest
from core.evaluation.answers import Answers
from core.runs import events as ev

PROBES = 4


class Probes:
    """Validation pictures taken from the classes in turn, and what the model says of them."""

    def __init__(self, manifest: Manifest) -> None:
        self._classes = manifest.classes
        self._members = manifest.validation
        by_class = [
            [i for i, m in enumerate(self._members) if m.label == k]
            for k in range(len(self._classes))
        ]
        rounds = range(max(map(len, by_class), default=0))
        in_turn = [rows[r] for r in rounds for rows in by_class if r < len(rows)]
        self._rows = in_turn[:PROBES]

    def __call__(self, answers: Answers) -> list[ev.Probe]:
        predicted = answers.predicted
        return [
            ev.Probe(
                path=self._members[row].path,
                truth=self._classes[self._members[row].label],
                label=self._classes[predicted[row]],
                confidence=float(answers.probabilities[row].max()),
            )
            for row in self._rows
        ]
