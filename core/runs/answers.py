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

    @property
    def confidence(self) -> float:
        """The probability of the answer."""
        return max(self.probabilities)

    @property
    def right(self) -> bool:
        """Whether the answer is the picture's class."""
        return self.label == self.truth


class _Member(msgspec.Struct):
    path: str
    digest: str


class _Dealt(msgspec.Struct):
    """Of the deal, only who tests."""

    test: list[_Member]


_decode = msgspec.json.Decoder(TestAnswer).decode
_decode_deal = msgspec.json.Decoder(_Dealt).decode


def read_answers(path: Path) -> Iterator[TestAnswer]:
    """Yield the answers in the file `path`; none if there is no such file, damaged lines are passed over."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        while line := file.readline(LINE_BYTES):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield _decode(line)


def read_digests(path: Path) -> dict[str, str]:
    """Return path and content hash of each test picture from the deal in `path`, none where it is unreadable."""
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {member.path: member.digest for member in _decode_deal(path.read_bytes()).test}
    return {}
