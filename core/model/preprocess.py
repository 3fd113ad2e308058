"""The one path from image to answer, for training, evaluation and prediction alike."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def log_probabilities(model: nn.Module, images: Tensor, spec: Preprocessing) -> Tensor:
    """Return `(N, classes)` logarithms of what `model` answers to the network's input `(N, 3, S, S)`."""
    if not spec.mirrored:
        return model(images).log_softmax(1)  # type: ignore[no-any-return]
    # Both in one batch: for a single picture reading the weights is most of the work.
    both: Tensor = model(torch.cat([images, images.flip(3)])).log_softmax(1)
    return torch.logaddexp(both[: len(images)], both[len(images) :]) - math.log(2)


def identity_views(count: int, spec: Preprocessing) -> Tensor:
    """Return `(count, 2, 3)` views of the upright middle of each stored square."""
    view = torch.tensor([[spec.view, 0.0, 0.0], [0.0, spec.view, 0.0]])
    return view.expand(count, 2, 3)
