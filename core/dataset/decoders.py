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
from core.dataset.cache import NO_STAMP, PictureFile, stamp_of
from core.dataset.cache import stamp as cache_stamp
from core.dataset.crew import Crew
from core.dataset.sketch import is_blank, sketch
from core.dataset.walk import NO_PICTURE, is_picture
from core.files import (
    MAX_PICTURE_BYTES,
    TransientError,
    UnreadableError,
    read_regular,
    read_start,
)
from core.processes import confine, die_with_parent
from core.text import native

DECODER_MEMORY = 4 * 2**30
# So many pictures tell how large those of a data set are.
SAMPLE = 512
# Headers lie within, but for those of some TIFF files, which then do not count.
HEADER_BYTES = 2**20
# Of the sampled short sides, the share that is stored without being made smaller.
LARGEST_SHARE = 0.95
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


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
    place = os.path.join(root, name)  # noqa: PTH118
    stamp, digest, data = NO_STAMP, "", b""
    try:
        data, status = read_regular(
            place, MAX_PICTURE_BYTES, None if is_picture(name) else _must_begin_like_picture
        )
        stamp = stamp_of(status)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        opened = dec.decode(data, size)
    except TransientError as error:
        # Without a stamp it is tried again the next time.
        return PictureFile(path, label, NO_STAMP, digest, reason=str(error)), None
    except UnreadableError as error:
        if stamp == NO_STAMP:
            stamp = cache_stamp(root, path) or NO_STAMP
        # Its header counts where sizes are sampled, whether the rest can be read or not.
        side = _side_of(data)
        about = PictureFile(path, label, stamp, digest, side, side, reason=str(error))
        return about, None
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
    """Refuse a file whose name promises no picture as soon as its first bytes show none that is read."""
    kind = dec.kind_by_head(head)
    if kind not in dec.FORMATS:
        raise UnreadableError(dec.not_read_here(kind) if kind else NO_PICTURE)


def _side_of(start: bytes) -> int:
    """Return the shorter side that the start of a file states, 0 if it is no picture's."""
    try:
        return dec.short_side(start)
    except UnreadableError:
        return 0


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
        """Return what is known of a file that no decoder survived; without a stamp it is tried again."""
        return Decoded(PictureFile(*file, NO_STAMP, reason="stops the decoder"))


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
    """Return the shorter side of each picture by its header, 0 of what is none."""
    sides = []
    for path in paths:
        start = b""
        with suppress(UnreadableError):
            start = read_start(os.path.join(root, native(path)), HEADER_BYTES)  # noqa: PTH118
        sides.append(_side_of(start))
    return sides
