"""Units that no picture excites: they learn nothing, and when all of a layer are dead nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Of the first batch so many are looked at.
PICTURES = 64


class Dead:
    """What was seen of the hidden layers while a model answered (`observed`)."""

    def __init__(self) -> None:
        self._shares: dict[nn.Module, Tensor] = {}

    def look(self, module: nn.Module, given: object, out: Tensor) -> None:
        """See which units of a layer a batch excites, if it is the layer's first."""
        if module not in self._shares:
            excited = (out[:PICTURES] > 0).transpose(0, 1).flatten(1).any(1)
            self._shares[module] = 1 - excited.float().mean()

    @property
    def share(self) -> float:
        """The share of dead units in the worst hidden layer, 0 to 1.

        A unit (a channel, or an output of a fully connected layer) is dead when its ReLU gives 0 on every
        picture and place.
        """
        return float(torch.stack(list(self._shares.values())).max()) if self._shares else 0.0


@contextmanager
def observed(model: nn.Module) -> Iterator[Dead]:
    """Look at `model` while it answers: no picture is given to it for that alone."""
    dead = Dead()
    hooks = [m.register_forward_hook(dead.look) for m in model.modules() if isinstance(m, nn.ReLU)]
    try:
        yield dead
    finally:
        for hook in hooks:
            hook.remove()
