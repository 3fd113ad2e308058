"""The epochs of a run, read from its log without decoding the millions of steps between them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from core.runs.events import EpochEnded, decode

CHUNK_BYTES = 1 << 20
_MARK = b'"epoch-ended"'


class EpochReader:
    """Reads a log from its start on; each call returns the epochs that have ended since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._partial = b""

    def read(self) -> list[EpochEnded]:
        """Return the new epochs, none where there are none; damaged lines are passed over."""
        epochs: list[EpochEnded] = []
        with suppress(OSError), self._path.open("rb") as file:
            file.seek(self._offset)
            while data := file.read(CHUNK_BYTES):
                self._offset += len(data)
                *lines, self._partial = (self._partial + data).split(b"\n")
                marked = (_decoded(line) for line in lines if _MARK in line)
                epochs += [epoch for epoch in marked if epoch is not None]
        return epochs


def _decoded(line: bytes) -> EpochEnded | None:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        event = decode(line)
        # A name in another event may read like the mark.
        return event if isinstance(event, EpochEnded) else None
    return None
