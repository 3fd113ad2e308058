"""The model file: weights, classes, preprocessing, settings and results in one safetensors file.

Tensors come and go as numpy arrays. Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from core.files import write_atomically
from core.model.card import (
    HASH_DIGITS,
    NO_HASH,
    Card,
    damaged,
    digest,
    hash_position,
    read_model,
)
from core.model.place import FORMAT
from core.text import safe_text

Tensors = dict[str, NDArray[np.float32]]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A verified model file in memory."""

    path: Path
    card: Card
    tensors: Tensors
    digest: str


def save(path: Path, card: Card, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a model file; a reader sees the old file or the new one, whole.

    Raises:
        OSError: with the kernel's reason.
    """
    metadata = {FORMAT: msgspec.json.encode(card).decode(), "blake2b": NO_HASH.decode()}
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    described = [(name, "F32", array.shape, array.nbytes) for name, array in arrays.items()]
    head = bytearray(header(described, metadata))
    rest = [array.reshape(-1).data.cast("B") for array in arrays.values()]
    at = hash_position(head)
    head[at : at + HASH_DIGITS] = digest(head, rest)
    write_atomically(path, [bytes(head), *rest], mode=0o644)


def header(
    tensors: Iterable[tuple[str, str, Sequence[int], int]],
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return what stands in a safetensors file before its tensors, of each the name, type, shape and bytes.

    The length of a header in JSON, and the header; the tensors follow it in this order without gaps
    (https://huggingface.co/docs/safetensors#format). The library would need copies of all of them.
    """
    described: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, kind, shape, size in tensors:
        begin, end = end, end + size
        described[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    text = msgspec.json.encode(described)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def load(path: Path) -> Model:
    """Read a model file whole and verify it: hash, format, names, shapes, finite values.

    Raises:
        UserError: the file is missing, damaged, of another version, or not made by this program.
    """
    path, data, card, digest_found = read_model(path)
    shown = safe_text(path)
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise damaged(shown, "its weights cannot be read") from error
    expected = alexnet_shapes(len(card.classes))
    if {name: array.shape for name, array in tensors.items()} != expected:
        raise damaged(shown, "its weights are not an AlexNet's")
    for array in tensors.values():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise damaged(shown, "it contains values that are not numbers")
    return Model(path=path, card=card, tensors=tensors, digest=digest_found)


def alexnet_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of torchvision's AlexNet with `classes` outputs."""
    layers: dict[str, tuple[int, ...]] = {
        "features.0": (64, 3, 11, 11),
        "features.3": (192, 64, 5, 5),
        "features.6": (384, 192, 3, 3),
        "features.8": (256, 384, 3, 3),
        "features.10": (256, 256, 3, 3),
        "classifier.1": (4096, 9216),
        "classifier.4": (4096, 4096),
        "classifier.6": (classes, 4096),
    }
    weights = {f"{name}.weight": shape for name, shape in layers.items()}
    return weights | {f"{name}.bias": (shape[0],) for name, shape in layers.items()}
