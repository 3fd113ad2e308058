"""The one path from image to answer, for training, evaluation and prediction alike."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.card import Preprocessing

# Numbers of the input that are made at once by a thread: of the size of its second cache.
_CACHED = 3 * 224**2


def to_input(
    pixels: Tensor,
    spec: Preprocessing,
    views: Tensor | None = None,
    light: Tensor | None = None,
    rows: Tensor | None = None,
) -> Tensor:
    """Return the network's input `(N, 3, image_size, image_size)` float32 for stored squares.

    `pixels` is `(N, channels, stored_size, stored_size)` uint8 on any device, or more of which `rows`,
    `(N,)`, are taken. `views` is `(N, 2, 3)`: for each picture the affine map from output to input
    coordinates, both from -1 to 1; without it all see the middle `spec.view`, upright. Sampling is bilinear,
    beyond the border the border. `light` is `(2, N, 1, 1, 1)`: how much contrast and brightness are raised,
    on normalised values.
    """
    count, size = len(pixels if rows is None else rows), spec.image_size
    if views is None:
        views = identity_views(count, spec).to(pixels.device)
    scale, shift = normalisation(spec.mean, spec.std, pixels.device)
    if light is not None:
        contrast, brightness = light.to(pixels.device)
        scale, shift = scale * (1 + contrast), shift * (1 + contrast) + brightness
    scale, shift = (numbers.expand(count, 3, 1, 1) for numbers in (scale, shift))
    across, down = _axes(views, size)
    out = torch.empty(
        (count, 3, size, size), device=pixels.device, memory_format=_layout(pixels.device)
    )
    for some in _portions(count, size, pixels.device):
        seen = F.grid_sample(
            (pixels[some] if rows is None else pixels.index_select(0, rows[some])).float(),
            torch.view_as_real(across[some, None, :] + down[some, :, None]),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        # In one pass; a gray channel is broadcast to three here, after all the work on it is done.
        torch.addcmul(shift[some], seen, scale[some], out=out[some])
    return out


def _portions(count: int, size: int, device: torch.device) -> list[slice]:
    """Return how many pictures are made at once: as many as stay in a processor's cache, all on a GPU.

    What is in between is then neither written to memory nor read from it, which was half of the time.
    """
    few = max(1, _CACHED // (3 * size**2)) * torch.get_num_threads()
    if device.type != "cpu":
        few = max(1, count)
    return [slice(first, first + few) for first in range(0, count, few)]


def _layout(device: torch.device) -> torch.memory_format:
    """Return how the input lies in memory: channels last where a layer would have to bring it there itself.

    On a CPU the first layer does so at no cost, and writing every third number is twice the work.
    """
    return torch.contiguous_format if device.type == "cpu" else torch.channels_last


@lru_cache
def normalisation(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return what bytes are multiplied by and what is then added, `(1, 3, 1, 1)` each.

    They are kept: a GPU would be waited for each time that numbers are brought to it.
    """
    # Whoever asks first may be one who only answers; training is given the same.
    with torch.inference_mode(False):
        means, stds = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        return (1 / (255 * stds)).to(device), (-means / stds).to(device)


def _axes(views: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return `(N, size)` twice: what column and what row of the output add to their place in the input.

    A place is a complex number, x + yi, so that one addition makes the grid of `F.affine_grid`
    (`align_corners=False`), which multiplies matrices for it and takes many times as long on a CPU.
    """
    at = (torch.arange(size, device=views.device) * 2 + 1) / size - 1
    x, y, origin = torch.view_as_complex(views.transpose(1, 2).contiguous()).unbind(1)
    return x[:, None] * at, y[:, None] * at + origin[:, None]


def log_probabilities(model: nn.Module, images: Tensor, spec: Preprocessing) -> Tensor:
    """Return `(N, classes)` logarithms of what `model` answers to the network's input `(N, 3, S, S)`."""
    if spec.mirrored:
        # Both in one batch: for a single picture reading the weights is most of the work.
        both: Tensor = model(torch.cat([images, images.flip(3)])).log_softmax(1)
        seen = torch.logaddexp(both[: len(images)], both[len(images) :]) - math.log(2)
    else:
        seen = model(images).log_softmax(1)
    return seen if spec.temperature == 1.0 else (seen / spec.temperature).log_softmax(1)


def identity_views(count: int, spec: Preprocessing) -> Tensor:
    """Return `(count, 2, 3)` views of the upright middle of each stored square."""
    view = torch.tensor([[spec.view, 0.0, 0.0], [0.0, spec.view, 0.0]])
    return view.expand(count, 2, 3)
