"""The one path from image to tensor, for training, evaluation and prediction alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.model.card import Preprocessing


def to_input(pixels: Tensor, spec: Preprocessing, views: Tensor | None = None) -> Tensor:
    """Return the network's input `(N, 3, image_size, image_size)` float32 for stored squares.

    `pixels` is `(N, channels, stored_size, stored_size)` uint8 on any device. `views` is `(N, 2, 3)`:
    for each picture the affine map from output to input coordinates, both from -1 to 1; without it
    all see the middle `spec.view`, upright. Sampling is bilinear, beyond the border the border.
    """
    if views is None:
        views = identity_views(len(pixels), spec).to(pixels.device)
    shape = (len(pixels), spec.channels, spec.image_size, spec.image_size)
    grid = F.affine_grid(views, list(shape), align_corners=False)
    seen = F.grid_sample(
        pixels.float().div_(255), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    mean = torch.tensor(spec.mean, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=pixels.device).view(1, 3, 1, 1)
    # A gray channel is broadcast to three here, after all the work on it is done.
    return ((seen - mean) / std).contiguous(memory_format=torch.channels_last)


def identity_views(count: int, spec: Preprocessing) -> Tensor:
    """Return `(count, 2, 3)` views of the upright middle of each stored square."""
    view = torch.tensor([[spec.view, 0.0, 0.0], [0.0, spec.view, 0.0]])
    return view.expand(count, 2, 3)
