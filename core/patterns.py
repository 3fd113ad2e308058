"""Regular expressions that people type, applied so that none of them can take for ever."""

from __future__ import annotations

import asyncio
import re
import sys
import warnings
from collections.abc import Sequence

import msgspec

from core.errors import UserError

DEADLINE_SECONDS = 2.0
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
# Nothing can stop a match that backtracks for ever but the end of its process.
_MATCHER = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (3, 3))
pattern, texts = json.load(sys.stdin)
search = re.compile(pattern, re.IGNORECASE).search
json.dump([i for i, text in enumerate(texts) if search(text)], sys.stdout)
"""


def check_pattern(pattern: str) -> None:
    """Raise what is wrong with a regular expression.

    Raises:
        UserError: it is none; the hint says where it breaks.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"“{pattern}” is no regular expression yet: {error}.", "Type on.") from None


async def matching(pattern: str, texts: Sequence[str]) -> list[int]:
    """Return the indices of the `texts` in which `pattern` is found, in any case.

    Raises:
        UserError: it is no regular expression, or takes longer than `DEADLINE_SECONDS`.
    """
    check_pattern(pattern)
    if not _SPECIAL.search(pattern):
        plain = pattern.lower()
        return [index for index, text in enumerate(texts) if plain in text.lower()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _MATCHER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        given = msgspec.json.encode((pattern, texts))
        said, _ = await asyncio.wait_for(process.communicate(given), DEADLINE_SECONDS)
        return msgspec.json.decode(said, type=list[int])
    except (TimeoutError, msgspec.DecodeError):
        raise UserError(
            f"The pattern “{pattern}” takes too long.",
            "Give a simpler one, without repetitions inside repetitions.",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
