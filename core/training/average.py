"""A running average of the weights, which answers better than those of any one step.

Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; with an exponential
window as in Tarvainen & Valpola, "Mean Teachers Are Better Role Models", NIPS 2017.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

# The share of all steps that the average looks back, and how many of them are left out in between.
WINDOW = 0.06
EVERY = 4


class Average:
    """`model` is the averaged network; `update` takes in what `source` is after a step, but for what is frozen."""

    def __init__(self, source: nn.Module, steps: int) -> None:
        self._every = EVERY if WINDOW * steps > 10 * EVERY else 1
        self._window = max(WINDOW * steps / self._every, 1.0)
        self.model = copy.deepcopy(source).requires_grad_(False)
        pairs = zip(self.model.parameters(), source.parameters(), strict=True)
        self._pairs = [(mean, now) for mean, now in pairs if now.requires_grad]

    def update(self, step: int) -> None:
        """Take in the weights after `step` steps of training, counted from its start."""
        updates, left_out = divmod(step, self._every)
        if left_out:
            return
        # At first the average is short, so that the random start is soon forgotten.
        share = max(1 / self._window, 9 / (10 + updates))
        with torch.no_grad():
            for mean, now in self._pairs:
                mean.lerp_(now, share)
