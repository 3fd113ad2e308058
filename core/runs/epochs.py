"""The epochs of a run, read from its log without decoding the millions of steps between them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from core.runs.events import EpochEnded, Resumed, decode

CHUNK_BYTES = 1 << 20
_MARK, _RESUMED = b'"epoch-ended"', b'"resumed"'


class EpochReader:
    """Reads a log from its start on, piece by piece as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._epochs: list[EpochEnded] = []

    def read(self) -> list[EpochEnded]:
        """Return all epochs so far, each once: what a resumed run has not done again yet is left out."""
        with suppress(OSError), self._path.open("rb") as file:
            size = CHUNK_BYTES
            while True:
                file.seek(self._offset)
                data = file.read(size)
                # What has no end yet is read again: a trainer that takes over cuts a torn line off.
                end = data.rfind(b"\n") + 1
                self._offset += end
                for line in data[:end].split(b"\n"):
                    if _MARK in line or _RESUMED in line:
                        self._take(line)
                if len(data) < size:
                    break
                size = CHUNK_BYTES if end else 2 * size
        return [*self._epochs]

    def _take(self, line: bytes) -> None:
        # A damaged line is passed over.
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            event = decode(line)
            # A name in another event may read like the mark.
            if isinstance(event, EpochEnded):
                self._epochs.append(event)
            elif isinstance(event, Resumed):
                self._epochs = [epoch for epoch in self._epochs if epoch.epoch < event.epoch]
