"""Paths as people type and paste them: completed from the disk, freed of quotes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from core.errors import UserError
from core.files import expanded
from core.prediction.sources import exists, is_url
from core.text import safe_text

# Names that are shown of those that would complete a path.
MOST_NAMES = 50


class Completions(NamedTuple):
    """What on disk begins as `typed` does: the first names in order, and what they all begin with."""

    typed: str = ""
    names: tuple[str, ...] = ()
    number: int = 0
    common: str = ""

    @property
    def first(self) -> str | None:
        """The path with the first name, None without one."""
        return self._folder + self.names[0] if self.names else None

    @property
    def longer(self) -> str | None:
        """The longest path that all names begin with, None where that is what was typed."""
        path = self._folder + self.common
        return path if self.number and len(path) > len(self.typed) else None

    @property
    def _folder(self) -> str:
        return "" if self.typed == "~" else self.typed[: self.typed.rfind("/") + 1]


def completions(typed: str, files: bool) -> Completions:
    """Return what completes `typed`: folders with a slash, with `files` files too.

    Hidden names only where a dot was typed; names that cannot be typed are left out.
    """
    if typed == "~":
        return Completions(typed, ("~/",), 1, "~/")
    folder, slash, start = typed.rpartition("/")
    if not slash or "\0" in typed:
        return Completions(typed)
    with suppress(OSError), os.scandir(expanded(folder + "/")) as entries:
        names = sorted(
            entry.name + ("/" if entry.is_dir() else "")
            for entry in entries
            if entry.name.startswith(start)
            and entry.name.isprintable()
            and (start.startswith(".") or not entry.name.startswith("."))
            and (files or entry.is_dir())
        )
        common = _common(names[0], names[-1]) if names else ""
        return Completions(typed, tuple(names[:MOST_NAMES]), len(names), common)
    return Completions(typed)


def _common(first: str, last: str) -> str:
    """Return what two names begin with; of sorted names the outermost say it for all."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in pairs)


def readings(typed: str) -> Iterator[str]:
    """Yield what pasted text may mean as a path: as it stands, without quotes, as a file URL."""
    text = typed.strip()
    yield text
    if text.startswith("file://"):
        with suppress(ValueError):
            yield unquote(urlsplit(text).path)
    elif set(text) & set("'\"\\"):
        # A shell's way to write blanks and quotes; a path may also hold an odd quote of its own.
        with suppress(ValueError):
            words = shlex.split(text)
            if len(words) == 1:
                yield words[0]


def meant(typed: str) -> str:
    """Return the reading of `typed` that is an address or leads to something, else the plainest.

    As it stands comes first: a true path may hold quotes, and blanks at its ends.
    """
    for reading in (typed, *readings(typed)):
        if is_url(reading) or exists(reading):
            break
    return reading or typed


def existing_folder(typed: str) -> Path:
    """Return the folder at the path `typed`, which may be quoted.

    Raises:
        UserError: there is no folder there.
    """
    is_file = False
    for reading in readings(typed):
        with suppress(OSError, ValueError):
            folder = expanded(reading).absolute()
            if reading and folder.is_dir():
                return folder
            is_file = is_file or bool(reading and folder.exists())
    shown = safe_text(typed.strip())
    if is_file:
        raise UserError(f"{shown} is a file.", "Choose the folder that holds one folder per class.")
    raise UserError(f"There is no folder at “{shown}”.", "Correct the path; tab completes it.")
