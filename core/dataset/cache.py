"""What is kept of data folders in the user's cache: decoded pixels, and what is known of each file.

Two kinds of files, each written whole and renamed, so that a kill leaves the old or the new one:
`HASH.index` holds what was found in one data folder, `HASH.pixels` the squares, named after what is in
the pictures, so that equal data has equal pixels wherever it lies. Any of them may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import msgspec
import platformdirs

from core.dataset.report import Note
from core.errors import UserError
from core.files import sweep, sync_folder, temporary_path, write_atomically
from core.text import native

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A change in how pictures become pixels, or in what is known of them, must not find old files.
VERSION = 2
# A file changed so shortly before it was read may have changed again within the same tick of its clock.
RACY_NS = 2 * 10**9

LIMIT_SETTING = "ALEXNET_TUI_CACHE_GB"

# Size, time of the last change of content and of anything at all (ns), inode.
Stamp = tuple[int, int, int, int]
# Of a file that the system would not give: no stamp that is ever found again.
NO_STAMP: Stamp = (0, 0, 0, 0)
Channels = Literal[1, 3]


class PictureFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a file: as it was read, its BLAKE2b, and its picture or the reason for none.

    `path` is portable (`core.text.portable`) and relative to the data folder, `label` its class.
    """

    path: str
    label: int
    stamp: Stamp
    digest: str = ""
    width: int = 0
    height: int = 0
    kind: str = ""
    gray: bool = False
    notes: tuple[Note, ...] = ()
    reason: str = ""

    def labelled(self, label: int) -> PictureFile:
        """Return the same in another class."""
        return msgspec.structs.replace(self, label=label)

    def noted(self, note: Note) -> PictureFile:
        """Return the same with one more note."""
        return msgspec.structs.replace(self, notes=(*self.notes, note))


class Index(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A data folder as it was read: row r of the pixels is the r-th file that has no `reason`.

    `largest` is the most that `stored_size` could have been, `near` are pairs of rows of different bytes
    that are near copies, `crowded` counts rows in a crowd that is all alike, `began_ns` is when reading began.
    """

    version: int = VERSION
    largest: int
    stored_size: int
    channels: Channels
    began_ns: int
    pixels: str
    pixels_digest: str
    files: list[PictureFile]
    near: list[tuple[int, int]]
    crowded: int

    @property
    def rows(self) -> int:
        return sum(not file.reason for file in self.files)

    @property
    def pixel_bytes(self) -> int:
        return self.rows * self.channels * self.stored_size**2


def cache_root() -> Path:
    """Return the folder of what is kept; it may be deleted at any time between runs."""
    return platformdirs.user_cache_path("alexnet-tui") / "pixels"


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes whenever a file does."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def stamp(root: str, path: str) -> Stamp | None:
    """Return the stamp of the file at the portable `path`, None where it cannot be had."""
    with suppress(OSError):
        return stamp_of(os.stat(f"{root}/{native(path)}"))  # noqa: PTH116
    return None


def index_path(root: Path, largest: int) -> Path:
    """Return where the index of the data folder `root` lies for squares of at most `largest` pixels."""
    name = hashlib.blake2b(f"{VERSION} ".encode() + os.fsencode(root.resolve()), digest_size=16)
    return cache_root() / f"{name.hexdigest()}-{largest}.index"


def load_index(path: Path) -> Index | None:
    """Return the index at `path`, or the newest of the same data for other sizes, None without any.

    Small pictures are stored alike whatever they are trained at.
    """
    others = path.parent.glob(path.name.partition("-")[0] + "-*.index")
    newest_first = sorted(others, key=lambda other: (other == path, _changed(other)), reverse=True)
    for candidate in newest_first:
        with suppress(OSError, msgspec.MsgspecError):
            index = _decoder.decode(candidate.read_bytes())
            if index.version == VERSION:
                os.utime(candidate)
                return index
    return None


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


_decoder = msgspec.msgpack.Decoder(Index)


def pixels_path(index: Index) -> Path:
    """Return where the squares of `index` lie, or would."""
    return named_pixels(index.pixels)


def named_pixels(name: str) -> Path:
    """Return where the squares called `name` lie."""
    return cache_root() / f"{name}.pixels"


def has_pixels(index: Index) -> bool:
    """Tell whether the squares of `index` are there, whole; keep them from being the oldest."""
    path = pixels_path(index)
    with suppress(OSError):
        if path.stat().st_size == index.pixel_bytes:
            os.utime(path)
            return True
    return False


def are_intact(index: Index) -> bool:
    """Tell whether every bit of the squares is as it was written; what is not is deleted."""
    path = pixels_path(index)
    with suppress(OSError):
        if digest_of(path) == index.pixels_digest:
            return True
    path.unlink(missing_ok=True)
    return False


def digest_of(path: Path) -> str:
    """Return the BLAKE2b of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def open_pixels(index: Index) -> NDArray[np.uint8]:
    """Return the squares `(N, channels, stored_size, stored_size)` uint8, memory-mapped, read-only.

    Raises:
        OSError, ValueError: they are gone, or damaged.
    """
    import numpy as np

    shape = (index.rows, index.channels, index.stored_size, index.stored_size)
    return np.memmap(pixels_path(index), dtype=np.uint8, mode="r", shape=shape)


def pixels_name(stored_size: int, channels: int, files: Iterable[PictureFile]) -> str:
    """Return the name of the squares of `files`, made of what is in them alone."""
    name = hashlib.blake2b(f"{VERSION} {stored_size} {channels}\n".encode(), digest_size=16)
    for file in files:
        if not file.reason:
            name.update(file.digest.encode())
    return name.hexdigest()


class PixelFile:
    """A growing file of squares, gray as long as all are; the first colour one converts it.

    Used as a context; what was not `kept` by its end is deleted.
    """

    def __init__(self, size: int) -> None:
        self._temporary = temporary_path(cache_root() / "new.pixels")
        self._plane = size * size
        self._file: IO[bytes] = self._temporary.open("wb")
        self.channels: Channels = 1

    def __enter__(self) -> PixelFile:
        return self

    def __exit__(self, *_: object) -> None:
        # First, so that a disk that is full even for the last bytes gets its room back.
        self._temporary.unlink(missing_ok=True)
        with suppress(OSError):
            self._file.close()

    def append(self, square: bytes) -> None:
        """Add the bytes of a square `(1, size, size)` or `(3, size, size)`."""
        planes = len(square) // self._plane
        if planes > self.channels:
            self._convert_to_colour()
        self._file.write(square if planes == self.channels else square * 3)

    def _convert_to_colour(self) -> None:
        self._file.close()
        gray_path = self._temporary.with_name(f".gray{self._temporary.name}")
        self._temporary.rename(gray_path)
        self._file = self._temporary.open("wb")
        self.channels = 3
        try:
            with gray_path.open("rb") as gray:
                while plane := gray.read(self._plane):
                    self._file.write(plane * 3)
        finally:
            gray_path.unlink()

    def keep(self, path: Path) -> str:
        """Make this the file at `path`, durably, and return its digest; an equal one there is replaced."""
        self._file.flush()
        os.fsync(self._file.fileno())
        digest = digest_of(self._temporary)
        self._temporary.rename(path)
        sync_folder(path.parent)
        return digest


def save_index(path: Path, index: Index) -> None:
    """Keep `index` at `path`."""
    write_atomically(path, [msgspec.msgpack.encode(index)])


def _limit() -> float:
    """Return how many bytes may be kept.

    Raises:
        UserError: the setting is no number.
    """
    given = os.environ.get(LIMIT_SETTING, "20")
    try:
        return max(float(given), 0) * 1e9
    except ValueError:
        raise UserError(
            f"{LIMIT_SETTING} cannot be “{given}”.", "It is a number of gigabytes, such as 20."
        ) from None


def make_room(in_use: Iterable[Path] = ()) -> None:
    """Delete what was longest unused until the cache is under its limit, but nothing `in_use`."""
    root = cache_root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(root)
    limit = _limit()
    kept = set(in_use)
    facts = []
    for path in root.iterdir():
        if path.is_dir():
            # An older version of this program kept folders here.
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith("."):
            with suppress(FileNotFoundError):
                status = path.stat()
                facts.append((path not in kept, -status.st_mtime, status.st_size, path))
    used = 0
    for free, _, size, path in sorted(facts):
        used += size
        if used > limit and free:
            path.unlink(missing_ok=True)
