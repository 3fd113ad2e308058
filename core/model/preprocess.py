"""The one path from image to answer, for training, evaluation and prediction alike."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.card import Preprocessing


def to_input(
    pixels: Tensor,
    spec: Preprocessing,
    views: Tensor | None = None,
    light: Tensor | None = None,
) -> Tensor:
    """Return the network's input `(N, 3, image_size, image_size)` float32 for stored squares.

    `pixels` is `(N, channels, stored_size, stored_size)` uint8 on any device. `views` is `(N, 2, 3)`:
    for each picture the affine map from output to input coordinates, both from -1 to 1; without it
    all see the middle `spec.view`, upright. Sampling is bilinear, beyond the border the border. `light`
    is `(2, N, 1, 1, 1)`: how much contrast and brightness are raised, on normalised values.
    """
    if views is None:
        views = identity_views(len(pixels), spec).to(pixels.device)
    seen = F.grid_sample(
        pixels.float(),
        _grid(views, spec.image_size),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    scale, shift = _normalisation(spec.mean, spec.std, pixels.device)
    if light is not None:
        contrast, brightness = light.to(pixels.device)
        scale, shift = scale * (1 + contrast), shift * (1 + contrast) + brightness
    # In one pass; a gray channel is broadcast to three here, after all the work on it is done.
    shape = (len(pixels), 3, spec.image_size, spec.image_size)
    out = torch.empty(shape, device=pixels.device, memory_format=torch.channels_last)
    return torch.addcmul(shift, seen, scale, out=out)


@lru_cache
def _normalisation(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return what bytes are multiplied by and what is then added, `(1, 3, 1, 1)` each.

    They are kept: a GPU would be waited for each time that numbers are brought to it.
    """
    # Whoever asks first may be one who only answers; training is given the same.
    with torch.inference_mode(False):
        means, stds = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        return (1 / (255 * stds)).to(device), (-means / stds).to(device)


def _grid(views: Tensor, size: int) -> Tensor:
    """Return `(N, size, size, 2)`: where each place of the output lies in the input.

    As `F.affine_grid(align_corners=False)`, in a fifth of its time on a CPU: it multiplies matrices.
    """
    at = (torch.arange(size, device=views.device) * 2 + 1) / size - 1
    across = views[:, :, 0, None] * at
    down = views[:, :, 1, None] * at + views[:, :, 2, None]
    grid = torch.empty((len(views), size, size, 2), device=views.device)
    for axis in (0, 1):
        torch.add(across[:, axis, None, :], down[:, axis, :, None], out=grid[..., axis])
    return grid


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
