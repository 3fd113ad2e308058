"""The answers on the test part, one JSON object a line: whole as they are kept, brief as they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

# Quotes inside of names are escaped, so that this stands only where the probabilities begin.
_PROBABILITIES = b',"probabilities":['


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A test picture by its portable path, its class, and the probability of every class.

    `confidence`, the highest of them, is missing in the files of earlier versions.
    """

    path: str
    truth: str
    label: str
    confidence: float | None = None
    probabilities: list[float]


class Told(msgspec.Struct, frozen=True, gc=False):
    """A test picture by its portable path, its class, the class answered, and its probability."""

    path: str
    truth: str
    label: str
    confidence: float


_brief = msgspec.json.Decoder(Told).decode
_whole = msgspec.json.Decoder(KeptAnswer).decode


def brief(lines: Iterable[bytes]) -> Iterator[Told]:
    """Yield what `lines` say but for the probabilities, of which a thousand would be read in vain.

    A line that is torn or damaged is passed over.
    """
    for line in lines:
        try:
            yield _told(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            continue


def _told(line: bytes) -> Told:
    end = line.find(_PROBABILITIES)
    if end >= 0 and line.endswith((b"]}\n", b"]}")):
        try:
            return _brief(line[:end] + b"}")
        except msgspec.ValidationError:
            # Without the confidence: it is the highest probability.
            pass
    whole = _whole(line)
    confidence = max(whole.probabilities) if whole.confidence is None else whole.confidence
    return Told(whole.path, whole.truth, whole.label, confidence)
