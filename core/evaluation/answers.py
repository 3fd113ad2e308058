"""The model's answers on a part: probabilities in full precision, whatever training ran in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.costs import evaluated_at_once
from core.dataset.split import Member
from core.model.preprocess import log_probabilities
from core.runs.answers import KeptAnswer
from core.training.batches import Part
from core.training.device import full_precision

__all__ = ["Answers", "KeptAnswer", "answer"]


class Answers(msgspec.Struct, frozen=True):
    """`probabilities` is `(N, classes)` float32 on the CPU, `loss` the mean cross-entropy in nats."""

    probabilities: Tensor
    labels: list[int]
    loss: float

    @property
    def predicted(self) -> list[int]:
        predicted: list[int] = self.probabilities.argmax(1).tolist()
        return predicted

    def counts(self) -> list[int]:
        """Return how often each class was answered."""
        counted = Counter(self.predicted)
        return [counted[k] for k in range(self.probabilities.shape[1])]

    @property
    def accuracy(self) -> float:
        pairs = zip(self.predicted, self.labels, strict=True)
        return sum(p == t for p, t in pairs) / len(self.labels)


def kept(answers: Answers, members: Sequence[Member], classes: Sequence[str]) -> Iterator[bytes]:
    """Yield a line for each of `answers`, which are to `members`, as a run keeps it."""
    rows = zip(members, answers.predicted, answers.probabilities, strict=True)
    for member, label, chances in rows:
        probabilities = chances.tolist()
        line = KeptAnswer(
            path=member.path,
            truth=classes[member.label],
            label=classes[label],
            confidence=probabilities[label],
            probabilities=probabilities,
        )
        yield msgspec.json.encode(line) + b"\n"


def answer(model: nn.Module, part: Part) -> Answers:
    """Return the model's answers on `part`, in the part's order; the model is left in `eval` mode.

    Raises:
        torch.OutOfMemoryError: the device has no room for a single picture.
    """
    at_once = evaluated_at_once(part.spec.image_size, part.on_gpu)
    while True:
        try:
            return _answer(model, part, at_once)
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise
        at_once //= 2
        torch.cuda.empty_cache()


def _answer(model: nn.Module, part: Part, at_once: int) -> Answers:
    model.eval()
    probabilities, labels, losses = [], [], []
    with torch.inference_mode(), full_precision():
        for batch in part.in_order(at_once):
            logarithms = log_probabilities(model, batch.images, part.spec)
            losses.append(F.nll_loss(logarithms, batch.labels, reduction="sum"))
            probabilities.append(logarithms.exp())
            labels.append(batch.labels)
    return Answers(
        torch.cat(probabilities).cpu(),
        torch.cat(labels).tolist(),
        float(torch.stack(losses).sum()) / len(part),
    )
