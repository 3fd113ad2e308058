"""Patterns that people type: found in any case, refused in words, never endless."""

from __future__ import annotations

import pytest

from core import patterns
from core.errors import UserError

TEXTS = ["Faces 80", "flowers", "x-ray 70"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("FACES", [0]), ("a.*[78]0", [0, 2]), ("", [0, 1, 2]), ("-", [2]), ("^f", [0, 1])],
)
async def test_what_is_found(pattern: str, found: list[int]) -> None:
    assert await patterns.matching(pattern, TEXTS) == found


@pytest.mark.parametrize("pattern", ["(", "[a", "a{3,1}", "*", "(?P<1>)", "(" * 200])
async def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(UserError, match="no regular expression yet"):
        await patterns.matching(pattern, TEXTS)


async def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "DEADLINE_SECONDS", 0.5)
    with pytest.raises(UserError, match="takes too long"):
        await patterns.matching("(a+)+$", ["a" * 60 + "!"])
