"""The checkpoints of a run: each is whole and verified, or it is not there; the last two are kept."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from core.files import sync_folder, write_atomically

FORMAT = 2
KEPT = 2
MANIFEST = "manifest.json"
# The name of the thread that writes one, by which the end of the process finds it.
WRITING = "checkpoint"

Chunks = Iterable[bytes | memoryview]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A verified checkpoint in memory: `step` steps are done, training goes on in `epoch` (from 1).

    `numbers` is JSON and `files` are bytes for whoever wrote them.
    """

    epoch: int
    step: int
    numbers: bytes
    files: dict[str, bytes]


class _File(msgspec.Struct, frozen=True):
    """The length and the hash of a file, of the kind that processors have an instruction for."""

    bytes: int
    sha256: str


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    epoch: int
    step: int
    files: dict[str, _File]
    numbers: msgspec.Raw


class _Versioned(msgspec.Struct, frozen=True):
    format: int


class _Sealed(msgspec.Struct, frozen=True):
    """What is in the manifest's file: the manifest and the hash of its bytes."""

    blake2b: str
    manifest: msgspec.Raw


class Checkpoints:
    """The folder of one run's checkpoints, for the one process that trains it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Those that this process has verified or written, the newest last.
        self._good: list[Path] = []
        self._newest_files: dict[str, _File] = {}
        self.damaged = 0
        self.problem = ""

    def exist(self) -> bool:
        """Tell whether there is one, verified or not."""
        return bool(self._complete())

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is intact, None if there is none.

        `damaged` counts those that were passed over, `problem` says what is wrong with the first of them.
        """
        problems = []
        for folder in reversed(self._complete()):
            try:
                manifest = _read_manifest(folder / MANIFEST)
                files = {
                    name: _read_file(folder / name, file) for name, file in manifest.files.items()
                }
                self._good, self._newest_files = [folder], manifest.files
                return Checkpoint(
                    epoch=manifest.epoch,
                    step=manifest.step,
                    numbers=bytes(manifest.numbers),
                    files=files,
                )
            except OSError as error:
                problems.append(f"cannot be read ({error.strerror})")
            except _DamagedError as error:
                problems.append(str(error))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                problems.append("is damaged")
            self.damaged, self.problem = len(problems), problems[0]
        return None

    def write(
        self,
        epoch: int,
        step: int,
        numbers: bytes,
        files: Mapping[str, Chunks],
        unchanged: Collection[str] = (),
    ) -> None:
        """Write a checkpoint; when this returns it is on the disk, and only the last two are left.

        Files named in `unchanged` are the same as in the checkpoint before, and are not written again
        where the file system can link them. The rename of the whole folder is the commit point.

        Raises:
            OSError: with the kernel's reason; the checkpoints before are as they were.
        """
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            sync_folder(self._folder.parent)
        target = self._folder / f"{self._last_number() + 1:06}"
        temporary = self._folder / f".{target.name}"
        # The run's lock is held: what a killed process left under this name is nobody's.
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(mode=0o700)
            written = {
                name: self._put(temporary / name, chunks, name in unchanged)
                for name, chunks in files.items()
            }
            manifest = msgspec.json.encode(
                _Manifest(epoch=epoch, step=step, files=written, numbers=msgspec.Raw(numbers))
            )
            sealed = _Sealed(hashlib.blake2b(manifest).hexdigest(), msgspec.Raw(manifest))
            write_atomically(temporary / MANIFEST, [msgspec.json.encode(sealed)])
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(self._folder)
        self._newest_files = written
        self._good.append(target)
        self.thin(KEPT)

    def thin(self, kept: int) -> None:
        """Remove all but the last `kept` good checkpoints."""
        self._good = self._good[-kept:] if kept else []
        with suppress(OSError):
            for path in list(self._folder.iterdir()):
                if path not in self._good:
                    shutil.rmtree(path, ignore_errors=True)
            if not self._good:
                self._folder.rmdir()

    def _put(self, path: Path, chunks: Chunks, unchanged: bool) -> _File:
        before = self._newest_files.get(path.name)
        if unchanged and before and self._good:
            # A file system without hard links gets the bytes once more.
            with suppress(OSError):
                os.link(self._good[-1] / path.name, path)
                return before
        hashed = _Hashed(chunks)
        write_atomically(path, hashed)
        return _File(hashed.bytes, hashed.digest.hexdigest())

    def _complete(self) -> list[Path]:
        """Return the folders that were committed, the oldest first."""
        with suppress(OSError):
            return sorted(path for path in self._folder.iterdir() if path.name.isdecimal())
        return []

    def _last_number(self) -> int:
        return max((int(path.name) for path in self._complete()), default=0)


class _DamagedError(Exception):
    """A checkpoint that cannot be gone on from; its text says why."""


class _Hashed:
    """Passes chunks on, and knows their length and hash in the end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self.digest = hashlib.sha256()
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for chunk in self._chunks:
            self.digest.update(chunk)
            self.bytes += len(chunk)
            yield chunk


def _read_manifest(path: Path) -> _Manifest:
    sealed = msgspec.json.decode(path.read_bytes(), type=_Sealed)
    if hashlib.blake2b(sealed.manifest).hexdigest() != sealed.blake2b:
        raise _DamagedError("is damaged")
    # The format first: what else is there may have changed with it.
    made = msgspec.json.decode(sealed.manifest, type=_Versioned).format
    if made != FORMAT:
        raise _DamagedError(f"is of format {made}, and this version knows {FORMAT}")
    return msgspec.json.decode(sealed.manifest, type=_Manifest)


def _read_file(path: Path, expected: _File) -> bytes:
    # The size first: a file that grew must not fill the memory.
    if path.stat().st_size != expected.bytes:
        raise _DamagedError("is damaged")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != expected.sha256:
        raise _DamagedError("is damaged")
    return data
