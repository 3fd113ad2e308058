"""Shuffled, augmented batches made on the device, each a function of (seed, epoch, step) alone."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core import costs
from core.config import Tier
from core.dataset.decode import Pixels
from core.model.card import Preprocessing
from core.model.preprocess import identity_views, to_input
from core.training.device import move


@dataclass(frozen=True)
class Augmentation:
    """How far each picture may be changed, drawn anew for every picture and epoch."""

    flip: bool
    shift: float  # of the side
    scale: float  # natural logarithm of the factor
    turn: float  # degrees
    light: float  # brightness and contrast, as a share


AUGMENTATIONS = {
    "none": Augmentation(flip=False, shift=0.0, scale=0.0, turn=0.0, light=0.0),
    "light": Augmentation(flip=True, shift=0.08, scale=0.12, turn=10.0, light=0.2),
    "strong": Augmentation(flip=True, shift=0.12, scale=0.25, turn=20.0, light=0.4),
}

# Pixels are brought to where they lie in pieces of so many bytes.
PIECE_BYTES = 2**27


class Batch(NamedTuple):
    """Network input `(n, 3, S, S)` float32 and class indices `(n,)` on the training device.

    They are a share of a batch of `whole` pictures where several processes train together.
    """

    images: Tensor
    labels: Tensor
    whole: int


def everything(count: int) -> slice:
    """Return the share of one who trains alone: all of `count` pictures."""
    return slice(count)


def _gathered(pixels: Pixels, rows: list[int], where: torch.device) -> Tensor:
    """Return these rows of `pixels` in memory of `where`; on the way there only a piece is in the host's.

    Raises:
        torch.OutOfMemoryError: the device has no room.
    """
    out = torch.empty((len(rows), *pixels.shape[1:]), dtype=torch.uint8, device=where)
    some = max(PIECE_BYTES // max(pixels[:1].nbytes, 1), 1)
    for first in range(0, len(rows), some):
        out[first : first + some].copy_(torch.from_numpy(pixels[rows[first : first + some]]))
    return out


class Part:
    """The pictures of one part: rows of the pixel store with their labels."""

    def __init__(
        self,
        pixels: Pixels,
        rows: list[int],
        labels: list[int],
        spec: Preprocessing,
        device: torch.device,
        tier: Tier,
    ) -> None:
        self.spec = spec
        self._device = device
        gathered = None
        if tier == "device":
            try:
                gathered = _gathered(pixels, rows, device)
            except torch.OutOfMemoryError:
                # Somebody else has taken it meanwhile: from elsewhere it is slower, but goes on.
                tier = costs.tier("auto", pixels.nbytes, gpu_free=0)
        if tier == "memory":
            gathered = _gathered(pixels, rows, torch.device("cpu"))
        if gathered is None:
            with warnings.catch_warnings():
                # torch warns that the map is read-only; nothing here writes to it.
                warnings.simplefilter("ignore", UserWarning)
                self._pixels = torch.from_numpy(pixels)
            self._rows = torch.tensor(rows)
        else:
            self._pixels = gathered
            self._rows = torch.arange(len(rows), device=gathered.device)
        self.tier = tier
        self._labels = torch.tensor(labels).to(device)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def on_gpu(self) -> bool:
        """Whether the batches are made on a GPU."""
        return self._device.type == "cuda"

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield the pictures unchanged, as they are seen when the model answers."""
        for of_rows, labels in zip(
            torch.split(self._rows, size), torch.split(self._labels, size), strict=True
        ):
            yield Batch(self._images(of_rows), labels, len(labels))

    def shuffled(
        self,
        size: int,
        how: Augmentation,
        seed: int,
        epoch: int,
        skip: int = 0,
        share: Callable[[int], slice] = everything,
    ) -> Iterator[Batch]:
        """Yield an epoch: every picture once, in batches of nearly equal size, at most `size`.

        The first `skip` batches are not made. Of each only the `share` of its number of pictures is made,
        as it would be in the whole. What is drawn for an epoch, 48 bytes a picture, is moved to the device
        at its beginning: no step waits for the host, or the host for a step.
        """
        draw = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self), generator=draw)
        views = move(draw_views(len(self), self.spec, how, draw), self._device)
        light = move(_draw_light(len(self), how, draw), self._device)
        labels = self._labels[move(order, self._device)]
        rows = self._rows[move(order, self._pixels.device)]
        batches = math.ceil(len(self) / size)
        parts = zip(
            *(drawn.tensor_split(batches) for drawn in (rows, views, labels)),
            light.tensor_split(batches, 1),
            strict=True,
        )
        for of_rows, of_views, of_labels, of_light in itertools.islice(parts, skip, None):
            mine = share(len(of_rows))
            images = self._images(of_rows[mine], of_views[mine], of_light[:, mine])
            yield Batch(images, of_labels[mine], len(of_rows))

    def _images(
        self, rows: Tensor, views: Tensor | None = None, light: Tensor | None = None
    ) -> Tensor:
        """Return the network's input for these rows, moved to the device first if they lie elsewhere."""
        if self._pixels.device == self._device:
            return to_input(self._pixels, self.spec, views, light, rows)
        pixels = move(self._pixels.index_select(0, rows), self._device)
        return to_input(pixels, self.spec, views, light)


def draw_views(count: int, spec: Preprocessing, how: Augmentation, draw: torch.Generator) -> Tensor:
    """Return `(count, 2, 3)` random views: flipped, shifted, scaled and turned about the middle one."""

    def uniform(limit: float) -> Tensor:
        return (torch.rand(count, generator=draw) * 2 - 1) * limit

    angle = uniform(math.radians(how.turn))
    scale = torch.exp(uniform(how.scale)) * spec.view
    mirror = torch.where(torch.rand(count, generator=draw) < 0.5, -1.0, 1.0) if how.flip else 1.0
    views = identity_views(count, spec).clone()
    views[:, 0, 0] = scale * torch.cos(angle) * mirror
    views[:, 0, 1] = -scale * torch.sin(angle)
    views[:, 1, 0] = scale * torch.sin(angle) * mirror
    views[:, 1, 1] = scale * torch.cos(angle)
    # Coordinates run from -1 to 1, so that a shift by a share of the side counts double.
    views[:, 0, 2] = uniform(2 * how.shift)
    views[:, 1, 2] = uniform(2 * how.shift)
    return views


def _draw_light(count: int, how: Augmentation, draw: torch.Generator) -> Tensor:
    """Return random contrasts and brightnesses `(2, count, 1, 1, 1)`."""
    return (torch.rand((2, count, 1, 1, 1), generator=draw) * 2 - 1) * how.light
