"""Processes that read and decode picture files in all cores; what they cannot read has its reason."""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from core.dataset import decode as dec
from core.dataset.cache import PictureFile, Stamp, stamp_of
from core.dataset.cache import stamp as cache_stamp
from core.dataset.sketch import is_blank, sketch
from core.dataset.walk import is_picture
from core.files import MAX_PICTURE_BYTES, UnreadableError, read_bytes, read_regular
from core.processes import confine, cpu_count, die_with_parent
from core.text import native

CHUNK = 32
CHUNK_SECONDS = 120.0
DECODER_MEMORY = 4 * 2**30
# So many pictures tell how large those of a data set are.
SAMPLE = 512
# Of the sampled short sides, the share that is stored without being made smaller.
LARGEST_SHARE = 0.95
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
NO_STAMP: Stamp = (0, 0, 0, 0)


class Decoded(NamedTuple):
    """A file as it was read: what is known of it, and of a picture its square and its sketch, as bytes.

    The square is `(1, S, S)` of a gray picture, else `(3, S, S)`. Bytes, since they travel between
    processes many times faster than arrays.
    """

    file: PictureFile
    square: bytes = b""
    sketch: bytes = b""


def decode_file(
    root: str, file: tuple[str, int], size: int
) -> tuple[PictureFile, dec.Pixels | None]:
    """Return the middle square of a file below `root`, given as its portable path and label; never raises."""
    path, label = file
    name = native(path)
    stamp, digest = NO_STAMP, ""
    try:
        data, status = read_regular(
            os.path.join(root, name),  # noqa: PTH118
            MAX_PICTURE_BYTES,
            None if is_picture(name) else _must_begin_like_picture,
        )
        stamp = stamp_of(status)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        opened = dec.decode(data, size)
    except UnreadableError as error:
        if stamp == NO_STAMP:
            stamp = cache_stamp(root, path) or NO_STAMP
        return PictureFile(path, label, stamp, digest, reason=str(error)), None
    square = dec.square(opened.image, size)
    gray = square.ndim == 2
    notes = opened.notes
    if not dec.fits_suffix(name, opened.kind):
        notes = (*notes, "wrong suffix")
    about = PictureFile(
        path=path,
        label=label,
        stamp=stamp,
        digest=digest,
        width=opened.width,
        height=opened.height,
        kind=opened.kind,
        gray=gray,
        notes=notes,
    )
    return about, dec.with_channels(square, 1 if gray else 3)


def _must_begin_like_picture(head: bytes) -> None:
    """Refuse a file whose name promises no picture as soon as its first bytes show none."""
    if not dec.begins_like_picture(head):
        raise UnreadableError("is not a picture")


class Decoders:
    """As many processes as there are cores; a picture that crashes or stalls one is left out by name."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._threads = os.environ.get(BLAS_THREADS)

    def __enter__(self) -> Decoders:
        # Each decoder's sums are small: more threads would only keep the others from the cores.
        os.environ[BLAS_THREADS] = "1"
        self._pool = self._new_pool()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_pool()
        del os.environ[BLAS_THREADS]
        if self._threads is not None:
            os.environ[BLAS_THREADS] = self._threads

    def short_sides(self, paths: Sequence[str]) -> list[int]:
        """Return the shorter sides of those of `paths` that are pictures, from their headers."""
        sides = []
        for start in range(0, len(paths), CHUNK):
            with suppress(BrokenProcessPool, TimeoutError):
                chunk = paths[start : start + CHUNK]
                task = self._pool.submit(_short_sides, self._root, chunk)
                sides += task.result(CHUNK_SECONDS)
                continue
            self._restart()
        return sides

    def decode(self, files: Sequence[tuple[str, int]], size: int) -> Iterator[Decoded]:
        """Yield what each of `files` (portable path, label) holds, in their order."""
        chunks = deque(files[i : i + CHUNK] for i in range(0, len(files), CHUNK))
        running: deque[tuple[Sequence[tuple[str, int]], Future[list[Decoded]]]] = deque()
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

    def _one_by_one(self, files: Sequence[tuple[str, int]], size: int) -> Iterator[Decoded]:
        for file in files:
            try:
                yield self._submit([file], size).result(CHUNK_SECONDS / 4)[0]
            except (BrokenProcessPool, TimeoutError):
                self._restart()
                yield Decoded(self._stopper(file))

    def _stopper(self, file: tuple[str, int]) -> PictureFile:
        """Return what is known of a file that no decoder survives, so that it is not tried again."""
        stamp = cache_stamp(self._root, file[0]) or NO_STAMP
        return PictureFile(*file, stamp, reason="stops the decoder")

    def _submitted(self, files: Sequence[tuple[str, int]], size: int) -> Future[list[Decoded]]:
        """Return the task of `files`; one that a broken pool refuses has failed already."""
        try:
            return self._submit(files, size)
        except BrokenProcessPool as error:
            refused: Future[list[Decoded]] = Future()
            refused.set_exception(error)
            return refused

    def _submit(self, files: Sequence[tuple[str, int]], size: int) -> Future[list[Decoded]]:
        return self._pool.submit(_decode_chunk, self._root, files, size)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Forked where nothing stands against it, which spares every decoder its imports: this process
        # has neither threads, of Python's or of NumPy's, nor a GPU.
        plain = threading.active_count() == 1 and self._threads == "1"
        context = get_context("fork" if plain and "torch" not in sys.modules else "spawn")
        return ProcessPoolExecutor(cpu_count(), context, _start_decoder)

    def _restart(self) -> None:
        self._end_pool()
        self._pool = self._new_pool()

    def _end_pool(self) -> None:
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def side_to_store(sides: Sequence[int], largest: int) -> int:
    """Return the side of the squares to store: no larger than training needs or pictures are.

    A few pictures larger than the rest are made smaller, rather than all the rest larger.
    """
    usual = sorted(sides)[int(LARGEST_SHARE * (len(sides) - 1))] if sides else 1
    return min(usual, largest)


def sampled(count: int) -> range:
    """Return which of `count` files tell how large the pictures are."""
    return range(0, count, max(count // SAMPLE, 1))


def _start_decoder() -> None:
    die_with_parent()
    confine(DECODER_MEMORY)
    # Decoding makes many objects and next to no cycles: looking for those rarely saves a tenth.
    gc.freeze()
    gc.set_threshold(50_000)


def _decode_chunk(root: str, files: Sequence[tuple[str, int]], size: int) -> list[Decoded]:
    """Return what each of `files` holds; blank pictures are noted as such."""
    decoded = [decode_file(root, file, size) for file in files]
    results = [Decoded(about) for about, _ in decoded]
    for gray in (True, False):
        rows = [
            i for i, (about, _) in enumerate(decoded) if not about.reason and about.gray is gray
        ]
        squares = [square for i in rows if (square := decoded[i][1]) is not None]
        if not squares:
            continue
        sketches = sketch(np.stack(squares))
        blank = is_blank(sketches).tolist()
        for i, square, drawn, empty in zip(rows, squares, sketches, blank, strict=True):
            about = decoded[i][0].noted("blank") if empty else decoded[i][0]
            results[i] = Decoded(about, square.tobytes(), drawn.tobytes())
    return results


def _short_sides(root: str, paths: Sequence[str]) -> list[int]:
    sides = []
    for path in paths:
        with suppress(UnreadableError):
            name = os.path.join(root, native(path))  # noqa: PTH118
            sides.append(dec.short_side(read_bytes(name, MAX_PICTURE_BYTES)))
    return sides
