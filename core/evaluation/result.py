"""What `evaluate` says: how a saved model does on the pictures of a folder, and what to make of it."""

from __future__ import annotations

from typing import Literal

from core.dataset.walk import LeftOutFile
from core.evaluation.calibration import Calibration
from core.runs.answers import Told
from core.runs.events import Evaluated

Part = Literal["test", "validation", "all"]


class Evaluation(Evaluated, frozen=True, kw_only=True):
    """A part of a folder, answered by a model: classes are the model's, in the order of its logits.

    `trained` is how many of the pictures the model was trained on, None where that cannot be told, since the
    folder is not dealt as it was for the training. `baseline` is the accuracy of always answering
    `baseline_class`, the most frequent one; `calibration` tells what confidence is worth. `left_out` cannot be
    read, `unknown_classes` are (with their pictures) classes of the folder that the model does not have.
    `mistakes` are the worst, surest first, by their path in the folder; `notes` say in words what a reader
    must know.
    """

    model: str
    data: str
    part: Part
    trained: int | None
    baseline: float
    baseline_class: str
    mean_confidence: float
    calibration: Calibration
    unknown_classes: dict[str, int]
    left_out: list[LeftOutFile]
    mistakes: list[Told]
    notes: list[str]
    device: str
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether all that lies in the folder could be answered and judged."""
        return not (self.left_out or self.unknown_classes)
