"""What a run answered on its test part: read one line at a time, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

# Longer than the probabilities of a hundred thousand classes: such a line is none of ours.
LINE_BYTES = 4 * 2**20


class TestAnswer(msgspec.Struct, frozen=True):
    """A line of `test.jsonl`: a test picture, its class, and the probability of every class."""

    # Not a test, whatever its name says to pytest.
    __test__ = False

    path: str
    truth: str
    label: str
    probabilities: list[float]


_decode = msgspec.json.Decoder(TestAnswer).decode


def read_answers(path: Path) -> Iterator[TestAnswer]:
    """Yield the answers in the file `path`; none if there is no such file, damaged lines are passed over."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        while line := file.readline(LINE_BYTES):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield _decode(line)
