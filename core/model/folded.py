"""AlexNet without the copies that it makes of small pictures: the same training in less work.

Below 224 pixels the last map is smaller than the 6 × 6 that the first dense layer reads, so AlexNet's
adaptive pooling stretches it: at 96 pixels each of its 2 × 2 places is read nine times. With P, 36 × k²,
the stretching, the layer's weights W act only as W P. Those are what is trained here: 4 million instead of
38 at 96 pixels. Where all places are read equally often (k of 1, 2, 3), AdamW moves W P by what the
copies together would have moved, if its rate is that many times as high and its decay as much lower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.costs import last_map
from core.model.network import PLACES as FULL
from core.model.network import AlexNet

LAYER = "classifier.1"
WEIGHT = LAYER + ".weight"


def fold(model: AlexNet, image_size: int) -> float:
    """Let `model` read each place of its last map once, in place; return how often it was read before.

    It answers as before on pictures of `image_size` pixels, and takes no others any more.
    """
    side = last_map(image_size)
    if side >= FULL:
        return 1.0
    full = model.get_submodule(LAYER)
    assert isinstance(full, nn.Linear)
    channels = full.in_features // FULL**2
    with torch.device("meta"):
        small = nn.Linear(channels * side**2, full.out_features)
    copies = full.weight.detach().view(-1, channels, FULL**2)
    weight = (copies @ stretching(side).to(copies)).flatten(1)
    small.weight = nn.Parameter(weight, requires_grad=full.weight.requires_grad)
    small.bias = full.bias
    model.set_submodule(LAYER, small)
    model.avgpool = nn.Identity()
    return FULL**2 / side**2


def unfolded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a folded network as that of the AlexNet which answers the same.

    Of all that do it is the one with the smallest weights: what a place has learned is shared evenly
    among its copies.
    """
    # On the CPU, where products are not rounded to fewer bits as a GPU may.
    weight, convolution = state[WEIGHT].detach().cpu(), state["features.10.weight"]
    channels = len(convolution)
    side = math.isqrt(weight.shape[1] // channels)
    if side == FULL:
        return dict(state)
    back = torch.linalg.pinv(stretching(side).double()).to(weight)
    places = weight.reshape(-1, channels, side**2)
    return {**state, WEIGHT: (places @ back).flatten(1)}


def stretching(side: int) -> Tensor:
    """Return `(36, side²)`: how AlexNet's adaptive pooling makes 6 × 6 places of `side` × `side`."""
    places = torch.eye(side**2).view(side**2, 1, side, side)
    return F.adaptive_avg_pool2d(places, FULL).view(side**2, FULL**2).T
