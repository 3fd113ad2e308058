"""Which file is meant where a model is asked for: the one named, or the one of a data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from core.config import MODEL_NAME
from core.errors import UserError
from core.files import UnreadableError, open_regular
from core.text import safe_text

# The key under which a model file of this program describes itself.
FORMAT = "alexnet-tui"
SUFFIX = ".safetensors"
# Class names and settings need far less; a length that lies would be read into memory.
MAX_HEADER = 64 * 2**20
# Files of these kinds are Python programs when they are loaded.
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")


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
