"""Files read whole within bounds, and written so that they are the old or the new one, never half."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

MAX_PICTURE_BYTES = 100 * 2**20
HEAD_BYTES = 16
_TEMPORARY = re.compile(r"\..+\.tmp-(\d+)-(\d+)")


class UnreadableError(Exception):
    """A file that cannot be used; its text says why, in words to put after the file's name."""


class TransientError(UnreadableError):
    """A file that the system would not give; its content is not to blame, and it may be there again."""


def open_regular(path: str | Path) -> int:
    """Return a descriptor of the regular file at `path`, for the caller to close.

    Raises:
        UnreadableError: it is not a regular file; TransientError: it is missing, or not readable.
    """
    # O_NONBLOCK: opening a FIFO must not wait for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            # Reading somebody's pictures leaves not even the time of reading behind.
            descriptor = os.open(path, flags | os.O_NOATIME)
        except PermissionError:
            # Only the owner of a file may ask for that.
            descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is not possible"
        raise TransientError(f"cannot be opened ({reason})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableError("is not a regular file")
    return descriptor


def read_bytes(path: str | Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises:
        UnreadableError: it is missing, not a regular file, not readable, empty, or too large.
    """
    return read_regular(path, limit)[0]


def read_regular(
    path: str | Path, limit: int, look: Callable[[bytes], None] | None = None
) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file of at most `limit` bytes, and its status as it was opened.

    `look` is shown the first bytes before the rest is read; what it raises ends the reading.

    Raises:
        UnreadableError: as `read_bytes`.
    """
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
        if look:
            look(os.pread(descriptor, HEAD_BYTES, 0))
        if status.st_size > limit:
            raise UnreadableError(f"is larger than {limit // 2**20} MiB")
        data = _read_all(descriptor, status.st_size, limit)
    except OSError as error:
        raise TransientError(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    if not data:
        raise UnreadableError("is empty")
    if len(data) > limit:
        raise TransientError("grew while it was read")
    return data, status


def read_start(path: str | Path, length: int) -> bytes:
    """Return the first `length` bytes of a regular file.

    Raises:
        UnreadableError: as `open_regular`.
    """
    descriptor = open_regular(path)
    try:
        return os.pread(descriptor, length, 0)
    except OSError as error:
        raise TransientError(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int, limit: int) -> bytes:
    """Return what a file holds up to `limit`, mostly with a single call that asks for its `size`."""
    data = os.read(descriptor, size + 1)
    while len(data) != size and len(data) <= limit and (more := os.read(descriptor, limit)):
        data += more
    return data


def expanded(path: str | Path) -> Path:
    """Return `path` with `~` as the home folder; a `~` that names nobody is part of a name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def write_atomically(path: Path, chunks: Iterable[bytes | memoryview], mode: int = 0o600) -> None:
    """Write `chunks` to `path` so that a kill or a power cut leaves the old file or the new one.

    A new name, written whole and synced, is renamed over `path`, then the folder is synced
    (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, section 2).

    Raises:
        OSError: with the kernel's reason; `path` is as it was.
    """
    temporary = temporary_path(path)
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


def temporary_path(path: Path) -> Path:
    """Return where to write what will be `path`, named so that `sweep` knows whether its writer lives."""
    return path.with_name(f".{path.name}.tmp-{os.getpid()}-{_started(os.getpid())}")


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
    import psutil

    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0


def same_folder(a: Path | str, b: Path | str) -> bool:
    """Tell whether both paths lead to one folder, be it there or not."""
    return os.path.realpath(a) == os.path.realpath(b)
