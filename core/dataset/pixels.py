"""Decode once → a memory-mapped array of uint8 squares, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Literal, NamedTuple

import msgspec
import numpy as np
import platformdirs

from core.dataset import decode as dec
from core.dataset.folder import LeftOutFile, Scan
from core.dataset.split import Member
from core.errors import UserError
from core.files import MAX_PICTURE_BYTES, UnreadableError, read_bytes
from core.processes import confine, cpu_count, die_with_parent
from core.text import portable, readable

# Part of the cache's key: a change in how pictures become pixels must not find old ones.
VERSION = 1
CHUNK = 32
CHUNK_SECONDS = 120.0
DECODER_MEMORY = 4 * 2**30
SAMPLE = 512
# Of the training size, so that shifted and scaled views have pixels to show.
MARGIN = 8 / 7

Progress = Callable[[int, int], None]


class Decoded(NamedTuple):
    """One file: the hash of its bytes, and its pixels or the reason why there are none."""

    digest: str
    pixels: dec.Pixels | None
    reason: str


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the pixel file: `members[i]` is picture i."""

    stored_size: int
    channels: Literal[1, 3]
    members: list[Member]
    left_out: list[tuple[str, str]]


class PixelStore(NamedTuple):
    """Decoded pictures: `pixels` is `(N, channels, stored_size, stored_size)` uint8, memory-mapped."""

    pixels: dec.Pixels
    members: list[Member]
    left_out: list[LeftOutFile]

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def stored_size(self) -> int:
        return int(self.pixels.shape[2])


def prepare(scan: Scan, image_size: int, on_progress: Progress) -> PixelStore:
    """Return the pixels of all readable pictures of `scan`, from the cache if they are there.

    They are squares no larger than training at `image_size` needs, in one channel when every
    picture is gray. Files that cannot be read are listed with the reason, never replaced.

    Raises:
        UserError: the cache folder cannot be written.
    """
    folder = cache_root() / _key(scan, image_size)
    with suppress(OSError, msgspec.MsgspecError, ValueError):
        os.utime(folder)
        return _open(folder)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(folder.parent)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
            _decode_into(Path(temporary), scan, image_size, on_progress)
            # Another run may have made the same pixels meanwhile; either copy serves.
            if not _is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                Path(temporary).rename(folder)
                Path(temporary).mkdir()
            return _open(folder)
    except OSError as error:
        raise UserError(
            f"Decoded pictures cannot be kept in {folder.parent}: {error.strerror}.",
            "Free some space there, or name another cache folder in XDG_CACHE_HOME.",
        ) from error


def _is_whole(folder: Path) -> bool:
    try:
        _open(folder)
    except (OSError, msgspec.MsgspecError, ValueError):
        return False
    return True


def cache_root() -> Path:
    """Return the folder of decoded pictures; it may be deleted at any time between runs."""
    return platformdirs.user_cache_path("alexnet-tui") / "pixels"


def decode_file(path: Path, size: int) -> Decoded:
    """Return the middle square of the picture at `path`, `size` pixels a side, never raising."""
    digest = ""
    try:
        data = read_bytes(path, MAX_PICTURE_BYTES)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        return Decoded(digest, dec.square(dec.decode(data, size).image, size), "")
    except UnreadableError as error:
        return Decoded(digest, None, str(error))


def _key(scan: Scan, image_size: int) -> str:
    key = hashlib.blake2b(f"{VERSION} {_largest_stored(image_size)}\n".encode(), digest_size=16)
    key.update(os.fsencode(scan.root.resolve()))
    for path in (path for files in scan.files for path in files):
        status = None
        with suppress(OSError):
            status = (scan.root / path).stat()
        facts = (status.st_size, status.st_mtime_ns, status.st_ino) if status else ()
        key.update(os.fsencode(path) + f"\0{facts}\n".encode())
    return key.hexdigest()


def _largest_stored(image_size: int) -> int:
    return -(-round(image_size * MARGIN) // 8) * 8


def _open(folder: Path) -> PixelStore:
    index = msgspec.msgpack.decode((folder / "index.msgpack").read_bytes(), type=Index)
    shape = (len(index.members), index.channels, index.stored_size, index.stored_size)
    pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r", shape=shape)
    left_out = [LeftOutFile(path=path, reason=reason) for path, reason in index.left_out]
    return PixelStore(pixels, index.members, left_out)


def _decode_into(folder: Path, scan: Scan, image_size: int, on_progress: Progress) -> None:
    files = [(path, k) for k, paths in enumerate(scan.files) for path in paths]
    members: list[Member] = []
    left_out: list[tuple[str, str]] = []
    with _Decoders(scan.root) as decoders:
        size = decoders.stored_size([path for path, _ in files], _largest_stored(image_size))
        with _PixelFile(folder / "pixels.bin", size) as pixel_file:
            results = decoders.decode([path for path, _ in files], size)
            for done, ((path, label), decoded) in enumerate(zip(files, results, strict=True), 1):
                if decoded.pixels is None:
                    left_out.append((readable(path), decoded.reason))
                else:
                    pixel_file.append(decoded.pixels)
                    members.append(Member(portable(path), label, decoded.digest))
                if done % CHUNK == 0 or done == len(files):
                    on_progress(done, len(files))
    if not members:
        raise UserError(
            f"None of the {len(files):,} pictures can be read.",
            f"The first, {left_out[0][0]}, {left_out[0][1]}.",
        )
    index = Index(
        stored_size=size, channels=pixel_file.channels, members=members, left_out=left_out
    )
    (folder / "index.msgpack").write_bytes(msgspec.msgpack.encode(index))


class _PixelFile:
    """A growing file of squares, gray as long as all are; the first colour one converts it."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._file: IO[bytes] = path.open("wb")
        self.channels: Literal[1, 3] = 1

    def __enter__(self) -> _PixelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, pixels: dec.Pixels) -> None:
        if pixels.ndim == 3 and self.channels == 1:
            self._convert_to_colour()
        self._file.write(dec.with_channels(pixels, self.channels).tobytes())

    def _convert_to_colour(self) -> None:
        self._file.close()
        gray_path = self._path.with_suffix(".gray")
        self._path.rename(gray_path)
        self._file = self._path.open("wb")
        self.channels = 3
        picture_bytes = self._size * self._size
        with gray_path.open("rb") as gray:
            while plane := gray.read(picture_bytes):
                self._file.write(plane * 3)
        gray_path.unlink()


class _Decoders:
    """Processes that decode; a picture that crashes or stalls one is left out by name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pool = self._new_pool()

    def __enter__(self) -> _Decoders:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_pool()

    def stored_size(self, paths: Sequence[str], largest: int) -> int:
        """Return the side to store: the largest short side among a sample, at most `largest`."""
        sample = paths[:: max(len(paths) // SAMPLE, 1)]
        sizes = [1]
        for start in range(0, len(sample), CHUNK):
            with suppress(BrokenProcessPool, TimeoutError):
                chunk = sample[start : start + CHUNK]
                task = self._pool.submit(_short_sides, self._root, chunk)
                sizes.extend(task.result(CHUNK_SECONDS))
                continue
            self._restart()
        return min(max(sizes), largest)

    def decode(self, paths: Sequence[str], size: int) -> Iterator[Decoded]:
        """Yield what each of `paths` holds, in their order."""
        chunks = deque(paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK))
        running: deque[tuple[Sequence[str], Future[list[Decoded]]]] = deque()
        while chunks or running:
            while chunks and len(running) < 4 * cpu_count():
                chunk = chunks.popleft()
                running.append((chunk, self._submitted(chunk, size)))
            chunk, task = running.popleft()
            try:
                yield from task.result(CHUNK_SECONDS)
            except (BrokenProcessPool, TimeoutError):
                chunks.extendleft(chunk for chunk, _ in reversed(running))
                running.clear()
                self._restart()
                yield from self._one_by_one(chunk, size)

    def _one_by_one(self, paths: Sequence[str], size: int) -> Iterator[Decoded]:
        for path in paths:
            try:
                yield self._submit([path], size).result(CHUNK_SECONDS / 4)[0]
            except (BrokenProcessPool, TimeoutError):
                self._restart()
                yield Decoded("", None, "stops the decoder")

    def _submitted(self, paths: Sequence[str], size: int) -> Future[list[Decoded]]:
        """Return the task of `paths`; one that a broken pool refuses has failed already."""
        try:
            return self._submit(paths, size)
        except BrokenProcessPool as error:
            refused: Future[list[Decoded]] = Future()
            refused.set_exception(error)
            return refused

    def _submit(self, paths: Sequence[str], size: int) -> Future[list[Decoded]]:
        return self._pool.submit(_decode_chunk, self._root, paths, size)

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(cpu_count(), get_context("spawn"), _start_decoder)

    def _restart(self) -> None:
        self._end_pool()
        self._pool = self._new_pool()

    def _end_pool(self) -> None:
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _start_decoder() -> None:
    die_with_parent()
    confine(DECODER_MEMORY)


def _decode_chunk(root: Path, paths: Sequence[str], size: int) -> list[Decoded]:
    return [decode_file(root / path, size) for path in paths]


def _short_sides(root: Path, paths: Sequence[str]) -> list[int]:
    sides = []
    for path in paths:
        with suppress(UnreadableError):
            sides.append(dec.short_side(read_bytes(root / path, MAX_PICTURE_BYTES)))
    return sides


def _make_room(folder: Path) -> None:
    """Delete the longest unused pixels until the cache is under its limit."""
    for left in folder.glob(".new-*"):
        # Whoever made it was killed: no decoding takes a day.
        if time.time() - left.stat().st_mtime > 86_400:
            shutil.rmtree(left, ignore_errors=True)
    limit = float(os.environ.get("ALEXNET_TUI_CACHE_GB", "20")) * 1e9
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    used = 0
    for entry in entries:
        used += sum(path.stat().st_size for path in entry.iterdir())
        if used > limit and not entry.name.startswith("."):
            shutil.rmtree(entry, ignore_errors=True)
