"""What a model file says of itself, read and verified without its weights being parsed.

Free of numpy and torch, so that a screen may ask. Every bit of the file is covered by its own
BLAKE2b hash, because safetensors checks none of its data.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgspec

from core.errors import UserError
from core.files import UnreadableError, open_regular, read_bytes
from core.model.place import FORMAT, description, model_path, models_in, read_head
from core.runs.events import Interval
from core.text import safe_text

# What answers in a way that came later must not be read by who does not know of it: first `mirrored`, then
# a `temperature`.
FORMAT_VERSION, MIRRORED_VERSION, TEMPERATURE_VERSION = 1, 2, 3
MAX_BYTES = 2 * 2**30
HASH_DIGITS = 64
NO_HASH = b"0" * HASH_DIGITS
_PIECE = 2**20


class Preprocessing(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes the network's input: the same for training, evaluation and classifying.

    A picture is decoded upright on white, its middle square scaled to `stored_size` with `channels`
    channels; the middle `view` of that is sampled at `image_size` x `image_size`, then normalised.
    Where it is `mirrored`, the answer is the mean of the answers to it and to its mirror image. Its logarithms
    are divided by the `temperature` that was found on the validation part, for confidence to mean what it says.
    """

    stored_size: Annotated[int, msgspec.Meta(ge=1, le=2048)]
    channels: Literal[1, 3]
    image_size: Annotated[int, msgspec.Meta(ge=63, le=1024)]
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    mirrored: bool = False
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0

    @property
    def version(self) -> int:
        """The oldest version of the format that knows all of this."""
        if self.temperature != 1.0:
            return TEMPERATURE_VERSION
        return MIRRORED_VERSION if self.mirrored else FORMAT_VERSION

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
    digest: str = ""


def model_info(path: Path) -> ModelInfo:
    """Return what the model file that `path` means says of itself, its hash verified piece by piece.

    Raises:
        UserError: as `read_model`.
    """
    path = model_path(path)
    try:
        card, found = _read_card(path)
    except UserError as error:
        raise UserError(error.title, _another(path) or error.hint) from error
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
        digest=found,
    )


def read_model(path: Path) -> tuple[Path, bytes, Card, str]:
    """Return the model file that `path` means, its content, its verified card, and its hash.

    Raises:
        UserError: the file is missing, damaged, of another version, or not made by this program.
    """
    path = model_path(path)
    shown = safe_text(path)
    try:
        data = read_bytes(path, MAX_BYTES)
    except UnreadableError as error:
        raise _unreadable(shown, str(error)) from None
    head = _head(io.BytesIO(data), shown)
    card, found = _verified_card(head, [memoryview(data)[len(head) :]], shown)
    return path, data, card, found


def _read_card(path: Path) -> tuple[Card, str]:
    """Return the card of the file at `path` and its hash; the file is never in memory as a whole."""
    shown = safe_text(path)
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise _unreadable(shown, f"is larger than {MAX_BYTES // 2**30} GiB")
            head = _head(file, shown)
            return _verified_card(head, iter(lambda: file.read(_PIECE), b""), shown)
    except UnreadableError as error:
        raise _unreadable(shown, str(error)) from None
    except OSError as error:
        raise _unreadable(shown, f"cannot be read ({error.strerror})") from None


def _another(path: Path) -> str | None:
    """Return the advice to use another model beside `path`, where there is an intact one."""
    with suppress(OSError):
        for other in models_in(path.parent):
            with suppress(UserError):
                if other != path:
                    _read_card(other)
                    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(other.stat().st_mtime))
                    return f"{safe_text(other)} of {day} is intact: give that one."
    return None


def _unreadable(shown: str, why: str) -> UserError:
    return UserError(f"The model file {shown} {why}.", "Give a model made by train.")


def _verified_card(
    head: bytearray, rest: Iterable[bytes | memoryview], shown: str
) -> tuple[Card, str]:
    """Return the card in `head` and the hash that it and the `rest` of the file were found to have."""
    try:
        metadata = description(head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(shown, "its header cannot be read") from error
    if metadata is None:
        raise UserError(
            f"{shown} was not made by this program.", "Give a model file that train has written."
        )
    try:
        at = hash_position(head, str(metadata.get("blake2b", "")).encode())
    except ValueError:
        raise damaged(shown, "its hash is missing") from None
    stored = bytes(head[at : at + HASH_DIGITS])
    head[at : at + HASH_DIGITS] = NO_HASH
    if digest(head, rest) != stored:
        raise damaged(shown, "its content does not match its hash")
    return _card(metadata[FORMAT], shown), stored.decode()


def _card(text: str, shown: str) -> Card:
    try:
        version = msgspec.json.decode(text, type=dict).get("format_version")
        if version not in range(FORMAT_VERSION, TEMPERATURE_VERSION + 1):
            raise UserError(
                f"{shown} was made by version {version} of this format; this program reads"
                f" {FORMAT_VERSION} to {TEMPERATURE_VERSION}.",
                "Use the program that made it, or train anew.",
            )
        card = msgspec.json.decode(text, type=Card)
        if len(set(card.classes)) != len(card.classes):
            raise damaged(shown, "a class is named twice")
        return card
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(shown, "its description cannot be read") from error


def _head(file: BinaryIO, shown: str) -> bytearray:
    head = read_head(file)
    if head is None:
        raise UserError(
            f"{shown} is damaged or is no model file.", "Give a model file that train has written."
        )
    return head


def hash_position(data: bytearray, digits: bytes = NO_HASH) -> int:
    """Return where in the file its hash `digits` stand.

    Raises:
        ValueError: nowhere.
    """
    length = int.from_bytes(data[:8], "little")
    label = b'"blake2b":"'
    return data.index(label + digits + b'"', 8, 8 + length) + len(label)


def digest(head: bytearray, rest: Iterable[bytes | memoryview] = ()) -> bytes:
    """Return the hash of a file whose own hash field is zeroed, in hexadecimal."""
    hasher = hashlib.blake2b(head, digest_size=HASH_DIGITS // 2)
    for piece in rest:
        hasher.update(piece)
    return hasher.hexdigest().encode()


def damaged(shown: str, why: str) -> UserError:
    """Return the error for a model file that is not as it was written."""
    return UserError(
        f"The model file {shown} is damaged: {why}.",
        "Copy it again from where it came, or train anew; nothing was changed.",
    )
