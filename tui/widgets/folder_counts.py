"""How much is in a folder, by the names in it alone: told beside the folder once it is known."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from core.engine import SUFFIXES
from core.text import count

# A folder with more entries than that is counted no further.
MOST_COUNTED = 200_000
# One call counts folders for so long; what is left waits for the next.
TURN_SECONDS = 0.2


class FolderCount(NamedTuple):
    """The visible folders and the picture files in a folder; with `more` there are others."""

    folders: int
    pictures: int
    more: bool = False

    @property
    def words(self) -> str:
        """The larger of the two in words, empty where there is neither."""
        number, noun = max((self.pictures, "picture"), (self.folders, "folder"))
        if not number:
            return ""
        return f"{number:,}+ {noun}s" if self.more else count(number, noun)


def count_folder(folder: Path) -> FolderCount:
    """Return how much is in `folder`; what cannot be read counts as empty."""
    folders = pictures = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for met, entry in enumerate(entries):
            if met == MOST_COUNTED:
                return FolderCount(folders, pictures, more=True)
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(SUFFIXES):
                pictures += 1
            else:
                with suppress(OSError):
                    folders += entry.is_dir()
    return FolderCount(folders, pictures)


def count_folders(folders: Iterable[Path]) -> dict[Path, FolderCount]:
    """Return how much is in the first of `folders`: at least one, as many as there is time for."""
    found: dict[Path, FolderCount] = {}
    deadline = time.monotonic() + TURN_SECONDS
    for folder in folders:
        found[folder] = count_folder(folder)
        if time.monotonic() > deadline:
            break
    return found
