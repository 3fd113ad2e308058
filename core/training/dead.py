"""Units that no picture excites: they learn nothing, and when all of a layer are dead nothing does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.training.batches import Part

PICTURES = 64


def dead_share(model: nn.Module, part: Part) -> float:
    """Return the share of dead units in the worst hidden layer, 0 to 1, on the first batch of `part`.

    A unit (a channel, or an output of a fully connected layer) is dead when its ReLU gives 0 on every
    picture and place. The model is left in `eval` mode.
    """
    model.eval()
    shares: list[Tensor] = []

    def look(module: nn.Module, given: object, out: Tensor) -> None:
        excited = (out > 0).transpose(0, 1).flatten(1).any(1)
        shares.append(1 - excited.float().mean())

    hooks = [m.register_forward_hook(look) for m in model.modules() if isinstance(m, nn.ReLU)]
    try:
        with torch.inference_mode():
            model(next(part.in_order(PICTURES)).images)
    finally:
        for hook in hooks:
            hook.remove()
    return float(torch.stack(shares).max()) if shares else 0.0
