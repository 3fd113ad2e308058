"""Processes that read and decode picture files in all cores; what they cannot read has its reason."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from core.dataset import decode as dec
from core.dataset.cache import PictureFile, Stamp, stamp_of
from core.dataset.cache import stamp as cache_stamp
from core.dataset.crew import Crew
from core.dataset.sketch import is_blank, sketch
from core.dataset.walk import NO_PICTURE, is_picture
from core.files import MAX_PICTURE_BYTES, UnreadableError, read_bytes, read_regular
from core.processes import confine, die_with_parent
from core.text import native

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
        raise UnreadableError(NO_PICTURE)


class Decoders:
    """A crew that decodes; a picture that crashes or stalls one of it is left out by name."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._threads = os.environ.get(BLAS_THREADS)
        # NumPy that has started threads of its own stands against a fork.
        self._crew = Crew(_start_decoder, forked=self._threads == "1")

    def __enter__(self) -> Decoders:
        # Each decoder's sums are small: more threads would only keep the others from the cores.
        os.environ[BLAS_THREADS] = "1"
        self._crew.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.__exit__()
        del os.environ[BLAS_THREADS]
        if self._threads is not None:
            os.environ[BLAS_THREADS] = self._threads

    def short_sides(self, paths: Sequence[str]) -> list[int]:
        """Return the shorter sides of those of `paths` that are pictures, from their headers."""
        sides = self._crew.map(_short_sides, paths, (self._root,), lambda path: 0)
        return [side for side in sides if side]

    def decode(self, files: Sequence[tuple[str, int]], size: int) -> Iterator[Decoded]:
        """Yield what each of `files` (portable path, label) holds, in their order."""
        return self._crew.map(_decode_chunk, files, (self._root, size), self._stopper)

    def _stopper(self, file: tuple[str, int]) -> Decoded:
        """Return what is known of a file that no decoder survives, so that it is not tried again."""
        stamp = cache_stamp(self._root, file[0]) or NO_STAMP
        return Decoded(PictureFile(*file, stamp, reason="stops the decoder"))


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


def _decode_chunk(files: Sequence[tuple[str, int]], root: str, size: int) -> list[Decoded]:
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


def _short_sides(paths: Sequence[str], root: str) -> list[int]:
    """Return the shorter side of each picture, 0 of what is none."""
    sides = []
    for path in paths:
        side = 0
        with suppress(UnreadableError):
            name = os.path.join(root, native(path))  # noqa: PTH118
            side = dec.short_side(read_bytes(name, MAX_PICTURE_BYTES))
        sides.append(side)
    return sides
