"""What the doctor found, as it crosses from the process that reads pictures. Free of numpy."""

from __future__ import annotations

from typing import Literal

import msgspec

from core.dataset.walk import LeftOutFile

# What is not plain about a picture that is used all the same.
Note = Literal[
    "wrong suffix", "animated", "16-bit", "CMYK", "alpha", "rotated", "blank", "enlarged"
]
# A note says something of the pictures, a warning something that a person should look at.
Level = Literal["note", "warning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something found in the data: in one sentence with what is done about it, and all files it is about.

    Where files belong together, as copies do, `groups` holds them; else `files` does.
    """

    kind: str
    level: Level
    text: str
    files: list[str] = []
    groups: list[list[str]] = []


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor says: usable pictures per class, what stands against using the rest, all findings.

    `duplicates` counts pictures whose bytes another one has, `near_copies` those that are a near copy of
    another; `parts` is (train, validation, test) per class as the deal really falls, `dealt` names the
    parts that the folder came dealt into; `leaked` is how many test pictures a deal by picture alone would
    have put beside a copy in training, or how many training pictures are copies of a test picture as dealt.
    """

    images: int
    classes: dict[str, int]
    left_out: list[LeftOutFile]
    duplicates: int
    near_copies: int = 0
    in_two_classes: int = 0
    leaked: int = 0
    parts: list[tuple[int, int, int]] = []
    dealt: list[str] = []
    channels: int = 0
    stored_size: int = 0
    smallest: tuple[int, int] = (0, 0)
    median: tuple[int, int] = (0, 0)
    largest: tuple[int, int] = (0, 0)
    gray: int = 0
    findings: list[Finding] = []
    trainable: bool
    problem: str = ""


# The emotions of FER2013, in the order of their numbers.
FER2013_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class ImportedRow(msgspec.Struct, frozen=True):
    """A row of a table that is no picture, and why."""

    line: int
    reason: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a table: pictures per class, and the first of its `bad_rows`."""

    folder: str
    classes: dict[str, int]
    left_out: list[ImportedRow]
    bad_rows: int
