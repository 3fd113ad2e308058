"""What a model file says of itself, read and verified without its weights being parsed.

Free of numpy and torch, so that a screen may ask. Every bit of the file is covered by its own
BLAKE2b hash, because safetensors checks none of its data.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from core.config import MODEL_NAME
from core.errors import UserError
from core.files import UnreadableError, read_bytes
from core.runs.events import Interval
from core.text import safe_text

FORMAT = "alexnet-tui"
FORMAT_VERSION = 1
MAX_BYTES = 2 * 2**30
HASH_DIGITS = 64
NO_HASH = b"0" * HASH_DIGITS


class Preprocessing(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes the network's input: the same for training, evaluation and classifying.

    A picture is decoded upright on white, its middle square scaled to `stored_size` with `channels`
    channels; the middle `view` of that is sampled at `image_size` x `image_size`, then normalised.
    """

    stored_size: Annotated[int, msgspec.Meta(ge=1, le=2048)]
    channels: Literal[1, 3]
    image_size: Annotated[int, msgspec.Meta(ge=63, le=1024)]
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def view(self) -> float:
        """The share of the stored side that is seen: below 1 if more was stored than is needed."""
        return min(1.0, self.image_size / self.stored_size)


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What training came to; `test` is None until the test part was read."""

    epochs: int
    best_epoch: int
    validation_accuracy: float
    test: Interval | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """All that a model file says of itself beside its weights."""

    format_version: int = FORMAT_VERSION
    architecture: Literal["torchvision.models.alexnet"] = "torchvision.models.alexnet"
    classes: Annotated[list[str], msgspec.Meta(min_length=2)]
    preprocessing: Preprocessing
    settings: dict[str, Any]
    results: Results
    split_hash: str
    created: float = msgspec.field(default_factory=time.time)
    versions: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model file and what it says of itself, as a screen and `info` show it."""

    path: Path
    classes: tuple[str, ...]
    image_size: int
    trained_on: str
    created: float
    epochs: int
    best_epoch: int
    validation_accuracy: float
    test: Interval | None
    settings: dict[str, Any]
    split_hash: str
    card: Card


def model_info(path: Path) -> ModelInfo:
    """Return what the model file that `path` means says of itself, its hash verified.

    Raises:
        UserError: as `read_model`.
    """
    path, _, card = read_model(path)
    results = card.results
    return ModelInfo(
        path=path,
        classes=tuple(card.classes),
        image_size=card.preprocessing.image_size,
        trained_on=str(card.settings.get("data", "")),
        created=card.created,
        epochs=results.epochs,
        best_epoch=results.best_epoch,
        validation_accuracy=results.validation_accuracy,
        test=results.test,
        settings=card.settings,
        split_hash=card.split_hash,
        card=card,
    )


def read_model(path: Path) -> tuple[Path, bytearray, Card]:
    """Return the model file that `path` means, its content, and its verified card.

    Raises:
        UserError: the file is missing, damaged, of another version, or not made by this program.
    """
    path = model_path(path)
    shown = safe_text(path)
    try:
        data = bytearray(read_bytes(path, MAX_BYTES))
    except UnreadableError as error:
        raise UserError(f"The model file {shown} {error}.", "Give a model made by train.") from None
    return path, data, _verified_card(data, shown)


def model_path(path: Path) -> Path:
    """Return the model file that `path` means: itself, or the one saved in a data folder.

    Raises:
        UserError: there is none, or it is no file of this program's kind.
    """
    shown = safe_text(path)
    try:
        if path.is_dir():
            if not (path / MODEL_NAME).exists():
                raise UserError(
                    f"No model was saved in {shown} yet.", f"Train one: run_tui.py train {shown}"
                )
            path /= MODEL_NAME
        if not path.exists():
            raise UserError(
                f"There is no model file at {shown}.",
                "Give a model file, or a trained data folder.",
            )
    except (OSError, ValueError) as error:
        raise UserError(
            f"The model file {shown} cannot be opened.", "Check the path and its permissions."
        ) from error
    if path.suffix.lower() in (".pt", ".pth", ".pkl", ".bin", ".ckpt"):
        raise UserError(
            f"{shown} is not opened: files of its kind can run code.",
            "Only models made by this program are read; train anew with run_tui.py train.",
        )
    return path


def _verified_card(data: bytearray, shown: str) -> Card:
    """Return the card of `data`, which is left with its hash field zeroed."""
    header = _header(data, shown)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(FORMAT), str):
        raise UserError(
            f"{shown} was not made by this program.", "Give a model file that train has written."
        )
    try:
        at = hash_position(data, str(metadata.get("blake2b", "")).encode())
    except ValueError:
        raise damaged(shown, "its hash is missing") from None
    stored = bytes(data[at : at + HASH_DIGITS])
    data[at : at + HASH_DIGITS] = NO_HASH
    if digest(data) != stored:
        raise damaged(shown, "its content does not match its hash")
    try:
        version = msgspec.json.decode(metadata[FORMAT], type=dict).get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"{shown} was made by version {version} of this format; this program reads"
                f" {FORMAT_VERSION}.",
                "Use the program that made it, or train anew.",
            )
        card = msgspec.json.decode(metadata[FORMAT], type=Card)
        if len(set(card.classes)) != len(card.classes):
            raise damaged(shown, "a class is named twice")
        return card
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(shown, "its description cannot be read") from error


def _header(data: bytearray, shown: str) -> dict[str, Any]:
    """Return the JSON header of a safetensors file: 8 bytes of its length, then itself."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > len(data) - 8 or data[8:9] != b"{":
        raise UserError(
            f"{shown} is damaged or is no model file.", "Give a model file that train has written."
        )
    try:
        return msgspec.json.decode(bytes(data[8 : 8 + length]), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(shown, "its header cannot be read") from error


def hash_position(data: bytearray, digits: bytes = NO_HASH) -> int:
    """Return where in the file its hash `digits` stand.

    Raises:
        ValueError: nowhere.
    """
    length = int.from_bytes(data[:8], "little")
    label = b'"blake2b":"'
    return data.index(label + digits + b'"', 8, 8 + length) + len(label)


def digest(data: bytearray) -> bytes:
    """Return the hash of a file whose own hash field is zeroed, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=HASH_DIGITS // 2).hexdigest().encode()


def damaged(shown: str, why: str) -> UserError:
    """Return the error for a model file that is not as it was written."""
    return UserError(
        f"The model file {shown} is damaged: {why}.",
        "Copy it again from where it came, or train anew; nothing was changed.",
    )
