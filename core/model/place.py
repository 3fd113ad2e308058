"""Which file is meant where a model is asked for, and what its name and its head tell of it.

The one named, or the one of a data folder; where a model is to be written; weights to start from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from core.config import MODEL_NAME
from core.errors import UserError
from core.files import UnreadableError, expanded, open_regular
from core.text import safe_text

# The key under which a model file of this program describes itself.
FORMAT = "alexnet-tui"
SUFFIX = ".safetensors"
# Class names and settings need far less; a length that lies would be read into memory.
MAX_HEADER = 64 * 2**20
# Files of these kinds are Python programs when they are loaded.
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")
# The layer that is made anew for other classes.
HEAD = "classifier.6."
CONVERT = (
    'python -c "import torch, safetensors.torch as s; '
    "s.save_file(torch.load('IN.pth', weights_only=True), 'OUT.safetensors')\""
)


class _Tensor(msgspec.Struct, frozen=True):
    """What a head says of a tensor."""

    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def model_path(path: Path) -> Path:
    """Return the model file that `path` means: itself, or that of a data folder, which is the file that
    training writes there, or without it the newest that was written beside the data under another name.

    Raises:
        UserError: there is none, or it is no file of this program's kind.
    """
    shown = safe_text(path)
    try:
        if path.is_dir():
            path = _of_folder(path)
        if not path.exists():
            raise UserError(
                f"There is no model file at {shown}.",
                "Give a model file, or a trained data folder.",
            )
    except (OSError, ValueError) as error:
        raise UserError(
            f"The model file {shown} cannot be opened.", "Check the path and its permissions."
        ) from error
    if path.suffix.lower() in _PICKLES:
        raise UserError(
            f"{shown} is not opened: files of its kind can run code.",
            "Only models made by this program are read; train anew: run_tui.py train DIR",
        )
    return path


def check_target(target: Path) -> None:
    """Tell before a training whether its model can be written to `target`, and read there afterwards.

    Raises:
        UserError: its name is none of a model, or something else is there, or nothing may be written there.
    """
    shown = safe_text(target)
    if target.exists() and not (target.is_file() and target.suffix == SUFFIX):
        raise UserError(
            f"{shown} is there already and is no model file.",
            "Name another place for the model: --out FILE.safetensors",
        )
    if target.suffix != SUFFIX:
        name = target.stem if target.suffix.lower() in _PICKLES else target.name
        raise UserError(
            f"The model cannot be written as {shown}: the names of model files end in {SUFFIX}.",
            f"Name it so: --out {safe_text(target.with_name(name + SUFFIX))}",
        )
    if not os.access(target.parent, os.W_OK):
        raise UserError(
            f"The model cannot be written to {safe_text(target.parent)}.",
            "Name another place for it: --out FILE",
        )


def check_weights(path: Path) -> None:
    """Tell by its name and its head whether a weights file is an AlexNet's; its numbers are not read.

    Raises:
        UserError: it is not, or it cannot be read.
    """
    # Both come with numpy, which only those with a weights file shall wait for.
    from core.model.bundle import alexnet_shapes
    from core.model.card import MAX_BYTES

    shown = safe_text(path)
    if path.suffix.lower() != SUFFIX:
        raise UserError(
            f"{shown} is not opened: only safetensors files are, since others can run code.",
            f"Convert it: {CONVERT}",
        )
    try:
        tensors, whole = _tensors(expanded(path), MAX_BYTES)
    except UnreadableError as error:
        raise unreadable_weights(shown, error) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged_weights(shown) from error
    if not whole:
        raise damaged_weights(shown)
    wanted = alexnet_shapes(1).items()
    if any(
        name not in tensors or tensors[name].shape != shape
        for name, shape in wanted
        if not name.startswith(HEAD)
    ):
        raise foreign_weights(shown)


def unreadable_weights(shown: str, error: UnreadableError) -> UserError:
    return UserError(f"The weights file {shown} {error}.", "Check the path.")


def damaged_weights(shown: str) -> UserError:
    return UserError(f"The weights file {shown} is damaged.", "Copy it again from where it came.")


def foreign_weights(shown: str) -> UserError:
    return UserError(
        f"The weights in {shown} are not an AlexNet's.",
        "Give a model file of this program, or torchvision's AlexNet as safetensors.",
    )


def _tensors(path: Path, limit: int) -> tuple[dict[str, _Tensor], bool]:
    """Return the tensors that the head of a safetensors file names, and whether the file ends with the last.

    Raises:
        UnreadableError: it cannot be read, is empty, or has more than `limit` bytes.
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: the head is none.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = read_head(file)
    except OSError as error:
        raise UnreadableError(f"cannot be read ({error.strerror})") from error
    if not size:
        raise UnreadableError("is empty")
    if size > limit:
        raise UnreadableError(f"is larger than {limit // 2**20} MiB")
    if head is None:
        return {}, False
    described = msgspec.json.decode(bytes(head[8:]), type=dict[str, msgspec.Raw])
    described.pop("__metadata__", None)
    tensors = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in described.items()}
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    return tensors, len(head) + end == size


def models_in(folder: Path) -> list[Path]:
    """Return the model files of this program directly in `folder`, the newest first.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if (
                    entry.name.endswith(SUFFIX)
                    and not entry.name.startswith(".")
                    and _is_ours(entry)
                ):
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)]


def _of_folder(folder: Path) -> Path:
    usual = folder / MODEL_NAME
    if usual.exists():
        return usual
    if models := models_in(folder):
        return models[0]
    shown = safe_text(folder)
    pickles = next(_pickles_in(folder), None)
    if pickles:
        raise UserError(
            f"The only model in {shown} is {safe_text(pickles)}, which is not opened: it can run code.",
            f"Train anew: run_tui.py train {shown}",
        )
    raise UserError(f"No model was saved in {shown} yet.", f"Train one: run_tui.py train {shown}")


def _pickles_in(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from (e.name for e in entries if e.name.lower().endswith(_PICKLES) and e.is_file())


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        with os.fdopen(open_regular(Path(entry.path)), "rb") as file:
            return description(read_head(file) or bytearray()) is not None
    except (UnreadableError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def read_head(file: BinaryIO) -> bytearray | None:
    """Return the start of a safetensors file: 8 bytes of a length, then so many of JSON; or None."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= MAX_HEADER:
        return None
    head = bytearray(start + file.read(length))
    return head if len(head) == 8 + length and head[8:9] == b"{" else None


def description(head: bytearray) -> dict[str, Any] | None:
    """Return the metadata that this program has written into a head, None in a file of others.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it is no JSON object.
    """
    if not head:
        return None
    metadata = msgspec.json.decode(bytes(head[8:]), type=dict[str, Any]).get("__metadata__")
    return (
        metadata if isinstance(metadata, dict) and isinstance(metadata.get(FORMAT), str) else None
    )
