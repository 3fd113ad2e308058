"""Files that are either the old or the new one, never half of each, whatever happens in between."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import psutil

_TEMPORARY = re.compile(r"\..+\.tmp-(\d+)-(\d+)")


def write_atomically(path: Path, chunks: Iterable[bytes | memoryview], mode: int = 0o600) -> None:
    """Write `chunks` to `path` so that a kill or a power cut leaves the old file or the new one.

    A new name, written whole and synced, is renamed over `path`, then the folder is synced
    (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, section 2).

    Raises:
        OSError: with the kernel's reason; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}-{_started(os.getpid())}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; some file systems cannot, and then nothing is lost by it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove temporary files in `folder` whose writer was killed."""
    for entry in list(folder.iterdir()):
        match = _TEMPORARY.fullmatch(entry.name)
        if match and _started(int(match[1])) != int(match[2]):
            entry.unlink(missing_ok=True)


def _started(pid: int) -> int:
    """Return when process `pid` started, 0 if there is none: with the pid it names one process."""
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0
