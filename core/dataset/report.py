"""What the doctor found, as it crosses from the process that reads pictures. Free of numpy."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """A file that cannot be trained on, and why; `path` is relative to the data folder."""

    path: str
    reason: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor says: usable pictures, and what stands against using the rest."""

    images: int
    classes: dict[str, int]
    left_out: list[Finding]
    duplicates: int
    in_two_classes: int = 0
    channels: int = 0
    stored_size: int = 0
    trainable: bool
    problem: str = ""
