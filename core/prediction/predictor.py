"""A model in memory: pixels → probabilities."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.dataset.decode import Pixels
from core.model import alexnet, bundle
from core.model.folded import fold
from core.model.preprocess import log_probabilities, to_input
from core.processes import cpu_count


class Predictor:
    """Answers with the model it was given."""

    def __init__(self, model: bundle.Model) -> None:
        self._spec = model.card.preprocessing
        self._model = alexnet.from_tensors(model.tensors)
        fold(self._model, self._spec.image_size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The channels, height and width of a stored square."""
        return self._spec.channels, self._spec.stored_size, self._spec.stored_size

    def warm_up(self) -> None:
        """Use all cores, and have the first forward pass choose its kernels now."""
        torch.set_num_threads(cpu_count())
        self.probabilities(np.zeros((1, *self.shape), np.uint8))

    def probabilities(self, pixels: Pixels) -> Tensor:
        """Return `(N, classes)` probabilities for `(N, channels, stored_size, stored_size)` uint8."""
        with torch.inference_mode():
            images = to_input(torch.from_numpy(pixels), self._spec)
            return log_probabilities(self._model, images, self._spec).exp()
