"""Of the deal that a run has kept, which pictures test, and what is in them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec


class _Member(msgspec.Struct):
    path: str
    digest: str


class _Dealt(msgspec.Struct):
    """Of the deal, only who tests."""

    test: list[_Member]


_decode = msgspec.json.Decoder(_Dealt).decode


def read_digests(path: Path) -> dict[str, str]:
    """Return path and content hash of each test picture from the deal in `path`, none where it is unreadable."""
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {member.path: member.digest for member in _decode(path.read_bytes()).test}
    return {}
