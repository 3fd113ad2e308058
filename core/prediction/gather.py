"""From what a person gave to single pictures: a folder's by name, a pattern's, an archive's."""

from __future__ import annotations

import asyncio
import glob
import os
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from core.dataset.folder import is_picture, is_system
from core.errors import UserError
from core.prediction.reading import Readers
from core.prediction.sources import (
    Refusal,
    Source,
    exists,
    is_archive,
    is_pattern,
    is_url,
    place_of,
    shown,
)
from core.text import safe_text

_CHUNK = 256
T = TypeVar("T")


class _ArchiveAt(NamedTuple):
    """An archive whose members are still to be listed."""

    path: str


async def gather(word: str, readers: Readers) -> AsyncIterator[Source | Refusal]:
    """Yield the single sources in `word`, in order; what holds none is refused with the reason.

    The disk is looked at in a thread, an archive in a confined process.
    """
    try:
        async for found in _in_thread(_on_disk(word)):
            if not isinstance(found, _ArchiveAt):
                yield found
                continue
            async for member in _members(found.path, readers):
                yield member
    except UserError as error:
        yield Refusal(shown(word), error)


async def _in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield `items`, drawn in a thread some at a time."""
    while chunk := await asyncio.to_thread(lambda: list(islice(items, _CHUNK))):
        for item in chunk:
            yield item


def _on_disk(word: str) -> Iterator[Source | Refusal | _ArchiveAt]:
    place = place_of(word)
    if is_url(place):
        yield Source(place)
    elif is_pattern(word) and not exists(word):
        yield from _fitting(place)
    else:
        yield from _at(place)


def _fitting(pattern: str) -> Iterator[Source | Refusal | _ArchiveAt]:
    """Yield what is at the paths that fit; `**` is as `*`, since a folder holds all that is below it."""
    paths = sorted(glob.glob(pattern))  # noqa: PTH207
    if not paths:
        raise UserError(
            f"No file fits {shown(pattern)}.", "Check the folder and the pattern's spelling."
        )
    for path in paths:
        try:
            yield from _at(path)
        except UserError as error:
            yield Refusal(shown(path), error)


def _at(path: str) -> Iterator[Source | Refusal | _ArchiveAt]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _below(path)
    elif is_archive(path):
        yield _ArchiveAt(path)
    else:
        yield Source(path)


def _below(top: str) -> Iterator[Source | Refusal]:
    """Yield the pictures below a folder by name; links to folders are not followed.

    A folder that cannot be opened is refused, since nobody knows what is missing.
    """
    empty = True
    closed: list[OSError] = []
    for folder, folders, files in os.walk(top, onerror=closed.append):
        while closed:
            empty = False
            yield _closed(closed.pop(0))
        folders[:] = sorted(name for name in folders if not is_system(name))
        for name in sorted(filter(is_picture, files)):
            empty = False
            yield Source(str(Path(folder) / name))
    yield from map(_closed, closed)
    if empty and not closed:
        raise UserError(
            f"There are no pictures in {safe_text(top)}.", "Choose another folder, or a file."
        )


def _closed(error: OSError) -> Refusal:
    folder = shown(str(error.filename))
    title = f"{folder} cannot be opened ({error.strerror})."
    return Refusal(folder, UserError(title, "Are you allowed to read this folder?"))


async def _members(path: str, readers: Readers) -> AsyncIterator[Source | Refusal]:
    members = await readers.members(path)
    if not members:
        raise UserError(
            f"There are no pictures in {safe_text(path)}.", "Choose another archive, or a folder."
        )
    for member in members:
        source = Source(path, member.name)
        if member.problem:
            title = f"{source.shown} {safe_text(member.problem)}."
            yield Refusal(source.shown, UserError(title, "Unpack it yourself and give its path."))
        else:
            yield source
