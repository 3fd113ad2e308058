"""Delete a run: its folder and nothing else, whole or not at all in everybody's eyes."""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.errors import UserError
from core.files import sync_folder
from core.runs.folder import RunFolder, runs_root

# A run of this name is on its way out: `RunFolder.all` passes over hidden names.
_DELETED = ".deleted-"


def disk_bytes(run: RunFolder) -> int:
    """Return how much disk would be free without the folder of `run`; links are not followed."""
    found = list(_files(run.path))
    # Checkpoints share a file by two names; one with another name outside stays on the disk.
    names = Counter((status.st_dev, status.st_ino) for status in found)
    total = 0
    for status in {(status.st_dev, status.st_ino): status for status in found}.values():
        if stat.S_ISDIR(status.st_mode) or names[status.st_dev, status.st_ino] == status.st_nlink:
            total += status.st_blocks * 512
    return total


def delete(run: RunFolder) -> int:
    """Delete the folder of `run` and return how many bytes of disk that frees.

    It is renamed to a hidden name first, so that a deletion that is cut off leaves no half run in
    the list; the next one removes what such a one has left.

    Raises:
        UserError: the run lives, is no folder among the runs, or the system refuses.
    """
    _check(run)
    freed = disk_bytes(run)
    hidden = run.path.with_name(_DELETED + run.name)
    try:
        _remove_rests()
        # Held while it is renamed: no trainer starts on it in that moment.
        with run.lock():
            run.path.rename(hidden)
        sync_folder(hidden.parent)
        shutil.rmtree(hidden)
    except OSError as error:
        gone = "could not" if run.path.exists() else "is out of the list, but not all of it could"
        raise UserError(
            f"The run {run.name} {gone} be deleted: {error.strerror}.",
            f"Look at who may write to {run.path.parent}.",
        ) from error
    return freed


def _check(run: RunFolder) -> None:
    """Raise what stands against deleting `run`."""
    title = f"The run {run.name} was not deleted"
    try:
        kind = run.path.lstat().st_mode
    except OSError as error:
        raise UserError(f"{title}: {error.strerror}.", "Perhaps it is gone already.") from error
    if not stat.S_ISDIR(kind):
        raise UserError(f"{title}: it is a link to another place.", f"Remove {run.path} yourself.")
    if os.path.realpath(run.path.parent) != os.path.realpath(runs_root()):
        raise UserError(
            f"{title}: it is not in the folder of runs.", f"Remove {run.path} yourself."
        )
    config = run.config()
    for place in (Path(config.data), config.model_file()):
        if Path(os.path.realpath(place)).is_relative_to(os.path.realpath(run.path)):
            raise UserError(f"{title}: {place} lies in its folder.", "Move that away first.")
    if run.alive():
        raise UserError(f"{title}: it is being trained.", "Stop it first.")


def _remove_rests() -> None:
    """Remove what deletions that were cut off have left."""
    for entry in os.scandir(runs_root()):
        if entry.name.startswith(_DELETED) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)


def _files(folder: Path) -> Iterator[os.stat_result]:
    """Yield the status of all that is in `folder`; what cannot be seen is passed over."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
