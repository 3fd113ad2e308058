"""Pictures inside a zip archive, read in place by the confined reader: nothing is unpacked to disk."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.dataset.folder import is_picture, is_system
from core.files import MAX_PICTURE_BYTES, UnreadableError, open_regular
from core.prediction.frames import Member

MAX_MEMBERS = 100_000
MAX_NAMES_LENGTH = 16 * 2**20
# Pictures hardly shrink when they are packed; what shrinks so much and becomes so large is a bomb.
MAX_RATIO = 100
BOMB_BYTES = 256 * 2**20
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


class Identity(NamedTuple):
    """Which content a path had when it was opened."""

    device: int
    inode: int
    size: int
    changed: int


class Archive:
    """An open archive and its table of contents.

    Raises:
        UnreadableError: it cannot be opened, is damaged, or has bounds that no honest one has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor = open_regular(path)
        self._file = os.fdopen(descriptor, "rb")
        self._identity = _identity(descriptor)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._infos = self._checked(self._zip.infolist())
        except UnreadableError:
            self.close()
            raise
        except MemoryError:
            self.close()
            raise UnreadableError("holds more files than fit into the reader's memory") from None
        # Damaged archives raise struct, codec and overflow errors as well as their own.
        except Exception as error:
            self.close()
            raise UnreadableError(
                f"is no zip archive, or a damaged one ({type(error).__name__})"
            ) from error

    def close(self) -> None:
        self._file.close()

    def is_current(self) -> bool:
        """Tell whether the path still leads to what was opened."""
        try:
            descriptor = open_regular(self.path)
        except UnreadableError:
            return False
        try:
            return _identity(descriptor) == self._identity
        finally:
            os.close(descriptor)

    def members(self) -> list[Member]:
        """Return the pictures by name, and with its problem what looks like one but is not read."""
        listed: dict[str, Member] = {}
        for info in self._infos:
            name = info.filename
            parts = PurePosixPath(name).parts
            if info.is_dir() or not parts or any(is_system(p) for p in parts if p != ".."):
                continue
            if name in listed:
                listed[name] = Member(name, "stands more than once in the archive")
            elif is_picture(parts[-1]):
                listed[name] = Member(name, _problem(info, parts))
            elif name.lower().endswith(_ARCHIVES):
                listed[name] = Member(name, "is an archive inside the archive, which is not opened")
        return [listed[name] for name in sorted(listed)]

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises:
            UnreadableError: it is not there, damaged, or out of bounds.
        """
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise UnreadableError("is no longer in the archive") from None
        problem = _problem(info, PurePosixPath(name).parts)
        if problem:
            raise UnreadableError(problem)
        try:
            with self._zip.open(info) as file:
                data = file.read(MAX_PICTURE_BYTES + 1)
        except MemoryError:
            raise UnreadableError("needs too much memory") from None
        # zlib, checksums, lengths that lie: every kind of damage has its own exception.
        except Exception as error:
            raise UnreadableError(f"is damaged in the archive ({type(error).__name__})") from error
        if not data:
            raise UnreadableError("is empty")
        return data

    def _checked(self, infos: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
        if len(infos) > MAX_MEMBERS:
            raise UnreadableError(
                f"holds {len(infos):,} files; the limit is {MAX_MEMBERS:,} in an archive"
            )
        if sum(len(info.filename) for info in infos) > MAX_NAMES_LENGTH:
            raise UnreadableError("holds names that no honest archive has")
        unpacked = sum(info.file_size for info in infos)
        if unpacked > max(BOMB_BYTES, MAX_RATIO * self._identity.size):
            times = unpacked // max(self._identity.size, 1)
            raise UnreadableError(f"would unpack to {times:,} times its size, as bombs do")
        return infos


def _identity(descriptor: int) -> Identity:
    status = os.fstat(descriptor)
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _problem(info: zipfile.ZipInfo, parts: tuple[str, ...]) -> str:
    if info.filename.startswith(("/", "\\")) or ".." in parts or "\\" in info.filename:
        return "has a name that leads out of the archive"
    if info.flag_bits & _ENCRYPTED:
        return "is protected by a password"
    if info.file_size > MAX_PICTURE_BYTES:
        return f"is larger than {MAX_PICTURE_BYTES // 2**20} MiB"
    if info.compress_type not in _METHODS:
        return "is packed by a method that is not read"
    return ""
