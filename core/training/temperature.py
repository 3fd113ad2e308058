"""The number that makes confidence mean what it says, found on the validation part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Beyond this a model is so sure, or so unsure, that a few pictures would decide it.
LEAST, MOST = 0.1, 10.0
# So many pictures, evenly spread, tell it well enough; all of a large set would fill the memory.
PICTURES = 10_000
_HALVINGS = 40


def fit_temperature(probabilities: Tensor, labels: Sequence[int]) -> float:
    """Return by what to divide the logarithms of `(N, classes)` probabilities for the labels to be most likely.

    One number for all classes, so that no answer changes: Guo et al., "On Calibration of Modern Neural
    Networks", ICML 2017, section 4.2. Labels count as a little uncertain, by 1 in N + 2 (Platt, "Probabilistic
    Outputs for Support Vector Machines", 1999, section 2.2): else a model that gets a small part all right
    would claim to be sure of everything.
    """
    every = math.ceil(len(labels) / PICTURES)
    probabilities, labels = probabilities[::every], labels[::every]
    logarithms = probabilities.clamp_min(torch.finfo(torch.float32).tiny).double().log()
    count, classes = logarithms.shape
    doubt = 1 / (count + 2)
    own = logarithms.gather(1, torch.tensor(labels)[:, None]).squeeze(1)
    others = (logarithms.sum(1) - own) / (classes - 1)
    wanted = float(((1 - doubt) * own + doubt * others).mean())
    # The loss is convex in the inverse of the temperature, and least where its slope is 0.
    low, high = 1 / MOST, 1 / LEAST
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        expected = ((logarithms * middle).softmax(1) * logarithms).sum(1).mean()
        if float(expected) < wanted:
            low = middle
        else:
            high = middle
    return round(1 / middle, 4)
