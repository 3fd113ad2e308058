"""The warm process: pixels → probabilities. It reads one model file and nothing else from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.dataset.decode import Pixels
from core.errors import UserError
from core.model import alexnet, bundle
from core.model.preprocess import to_input
from core.prediction import frames
from core.processes import cpu_count, die_with_parent


class Predictor:
    """A model in memory that answers."""

    def __init__(self, model: bundle.Model) -> None:
        self._spec = model.card.preprocessing
        self._model = alexnet.from_tensors(model.tensors)

    def probabilities(self, pixels: Pixels) -> Tensor:
        """Return `(N, classes)` probabilities for `(N, channels, stored_size, stored_size)` uint8."""
        with torch.inference_mode():
            logits = self._model(to_input(torch.from_numpy(pixels), self._spec))
            return torch.softmax(logits, 1)


def serve(model_path: str) -> None:
    """Answer requests on stdin until it closes."""
    die_with_parent()
    requests, answers = frames.private_streams()
    torch.set_num_threads(cpu_count())
    try:
        model = bundle.load(Path(model_path))
    except UserError as error:
        frames.write(answers, frames.Ready(title=error.title, hint=error.hint))
        return
    predictor = Predictor(model)
    spec = model.card.preprocessing
    shape = (spec.channels, spec.stored_size, spec.stored_size)
    # The first forward pass chooses kernels; better now than in somebody's first answer.
    predictor.probabilities(np.zeros((1, *shape), np.uint8))
    frames.write(answers, frames.Ready())
    while (request := frames.read(requests, frames.PredictRequest)) is not None:
        pixels = np.frombuffer(bytearray(request.pixels), np.uint8)
        answer = predictor.probabilities(pixels.reshape(request.count, *shape))
        frames.write(answers, frames.PredictAnswer(probabilities=answer.tolist()))
