"""Decode once → squares of uint8 in the user's cache; what did not change is never read again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset import cache
from core.dataset.cache import Index, PictureFile, PixelFile
from core.dataset.folder import Scan
from core.dataset.split import Member
from core.dataset.walk import LeftOutFile
from core.errors import UserError
from core.text import portable, readable_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.dataset.decoders import Decoded, Decoders
    from core.dataset.sketch import Near

# Of the training size, so that shifted and scaled views have pixels to show.
MARGIN = 8 / 7
TELL_EVERY = 32

Progress = Callable[[int, int], None]
# By path: a file that is as it was, and its row in the pixels of before, -1 where it is no picture.
Known = dict[str, tuple[int, PictureFile]]


@dataclass(frozen=True)
class Pictures:
    """The readable pictures of a data folder, in the order of their rows, and what cannot be read."""

    index: Index

    @cached_property
    def files(self) -> list[PictureFile]:
        """What is known of the picture in each row."""
        return [file for file in self.index.files if not file.reason]

    @cached_property
    def members(self) -> list[Member]:
        """The picture in each row, as it is dealt."""
        return [Member(file.path, file.label, file.digest) for file in self.files]

    @property
    def left_out(self) -> list[LeftOutFile]:
        """The files that cannot be used, with the reason; paths are for people."""
        bad = (file for file in self.index.files if file.reason)
        return [LeftOutFile(readable_path(file.path), file.reason) for file in bad]

    @property
    def near(self) -> list[tuple[int, int]]:
        """Pairs of rows that are near copies of each other."""
        return self.index.near

    @property
    def channels(self) -> cache.Channels:
        return self.index.channels

    @property
    def stored_size(self) -> int:
        return self.index.stored_size

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """The squares `(N, channels, stored_size, stored_size)` uint8, memory-mapped."""
        return cache.open_pixels(self.index)


def prepare(
    scan: Scan, image_size: int, on_progress: Progress, *, to_train: bool = False
) -> Pictures:
    """Return the pixels of all readable pictures of `scan`; only new and changed files are read.

    They are squares no larger than training at `image_size` needs, in one channel when every
    picture is gray. Files that cannot be read are listed with the reason, never replaced.
    Bits rot on disks: before pixels of before are taken over, or used `to_train`, they are verified.

    Raises:
        UserError: the cache folder cannot be written.
    """
    largest = -(-round(image_size * MARGIN) // 8) * 8
    try:
        path = cache.index_path(scan.root, largest)
        old = cache.load_index(path)
        cache.make_room([path, cache.pixels_path(old)] if old is not None else [])
        whole = old if old is not None and cache.has_pixels(old) else None
        files = [(portable(p), k) for k, paths in enumerate(scan.files) for p in paths]
        known = _unchanged(scan.root, files, old)
        if whole is not None:
            same = whole.largest == largest and _is_all(scan, known, files, whole)
            if (to_train or not same) and not cache.are_intact(whole):
                whole = None
            elif same:
                return Pictures(whole)
        began = time.time_ns()
        new = _Reading(scan.root, files, known, whole).keep(largest, began, on_progress)
        cache.save_index(path, new)
        cache.make_room([path, cache.pixels_path(new)])
    except OSError as error:
        raise UserError(
            f"Decoded pictures cannot be kept in {cache.cache_root()}: {error.strerror}.",
            "Make room there, or name another cache folder in XDG_CACHE_HOME.",
        ) from error
    return Pictures(new)


def _is_all(scan: Scan, known: Known, files: list[tuple[str, int]], old: Index) -> bool:
    """Tell whether nothing was added, taken away, changed, or moved to another class.

    What the system would not give before is tried again.
    """
    before = {file.path: file for file in old.files}
    if len(files) != len(before):
        return False
    if not all(path in before and before[path].label == label for path, label in files):
        return False
    again = [file for file in files if file[0] not in known]
    if not all(before[path].stamp == cache.NO_STAMP for path, _ in again):
        return False
    return not again or _all_refused(scan, again, old.stored_size)


def _all_refused(scan: Scan, files: list[tuple[str, int]], size: int) -> bool:
    """Tell whether the system still gives none of `files`."""
    from core.dataset.decoders import Decoders

    with Decoders(os.fspath(scan.root)) as decoders:
        return all(d.file.stamp == cache.NO_STAMP for d in decoders.decode(files, size))


def _unchanged(root: Path, files: list[tuple[str, int]], old: Index | None) -> Known:
    """Return those of `files` that are as they were."""
    if old is None:
        return {}
    settled = old.began_ns - cache.RACY_NS
    known: Known = {}
    row = 0
    for file in old.files:
        if file.stamp[2] < settled:
            known[file.path] = (-1 if file.reason else row, file)
        row += not file.reason
    place = os.fspath(root)
    same: Known = {}
    for path, label in files:
        was = known.get(path)
        if was and was[1].stamp == cache.stamp(place, path):
            row, file = was
            # A class folder more or less moves the others' places.
            same[path] = (row, file if file.label == label else file.labelled(label))
    return same


class _Reading:
    """Reads what is new in a data folder, and takes over the rest from the pixels of before."""

    def __init__(self, root: Path, files: list[tuple[str, int]], known: Known, old: Index | None):
        self._root = os.fspath(root)
        self._files = files
        self._known = known
        self._old = old

    def keep(self, largest: int, began_ns: int, on_progress: Progress) -> Index:
        """Keep the pixels of all files and return their index."""
        from core.dataset.decoders import Decoders

        read: list[PictureFile] = []
        sketches: list[bytes] = []
        with Decoders(self._root) as decoders:
            size = self._side(decoders, largest)
            with PixelFile(size) as pixel_file:
                for done, decoded in enumerate(self._all(decoders, size), 1):
                    read.append(decoded.file)
                    if decoded.square:
                        sketches.append(decoded.sketch)
                        pixel_file.append(decoded.square)
                    if done % TELL_EVERY == 0 or done == len(self._files):
                        on_progress(done, len(self._files))
                near = _near(read, sketches)
                name = cache.pixels_name(size, pixel_file.channels, read)
                index = Index(
                    largest=largest,
                    stored_size=size,
                    channels=pixel_file.channels,
                    began_ns=began_ns,
                    pixels=name,
                    pixels_digest=pixel_file.keep(cache.named_pixels(name)),
                    files=read,
                    near=near.pairs,
                    crowded=near.crowded,
                )
        return index

    def _side(self, decoders: Decoders, largest: int) -> int:
        """Return the side to store, and forget pixels of another one."""
        from core.dataset.decoders import sampled, side_to_store

        sample = [self._files[i][0] for i in sampled(len(self._files))]
        known = [self._known[path][1] for path in sample if path in self._known]
        sides = [min(file.width, file.height) for file in known if file.width]
        sides += decoders.short_sides([path for path in sample if path not in self._known])
        size = side_to_store(sides, largest)
        if self._old is None or self._old.stored_size != size:
            self._known = {path: was for path, was in self._known.items() if was[1].reason}
        return size

    def _all(self, decoders: Decoders, size: int) -> Iterator[Decoded]:
        """Yield all files in their order."""
        new = decoders.decode([file for file in self._files if file[0] not in self._known], size)
        old = self._taken_over()
        for path, _ in self._files:
            yield next(old if path in self._known else new)

    def _taken_over(self) -> Iterator[Decoded]:
        """Yield the known files in their order, with their pixels of before."""
        from core.dataset.decoders import Decoded
        from core.dataset.sketch import sketch

        known = [self._known[path] for path, _ in self._files if path in self._known]
        pixels = None if self._old is None or not known else cache.open_pixels(self._old)
        for start in range(0, len(known), TELL_EVERY):
            some = known[start : start + TELL_EVERY]
            rows = [row for row, file in some if not file.reason]
            if pixels is None or not rows:
                yield from (Decoded(file) for _, file in some)
                continue
            squares = pixels[rows]
            drawn = iter(zip(squares, sketch(squares), strict=True))
            for _, file in some:
                if file.reason:
                    yield Decoded(file)
                else:
                    square, one = next(drawn)
                    yield Decoded(file, square[: 1 if file.gray else 3].tobytes(), one.tobytes())


def _near(read: list[PictureFile], sketches: list[bytes]) -> Near:
    """Return which rows are near copies; of pictures with equal bytes only the first counts."""
    import numpy as np

    from core.dataset.sketch import Near, from_bytes, near_copies

    first: dict[str, int] = {}
    for row, digest in enumerate(file.digest for file in read if not file.reason):
        first.setdefault(digest, row)
    rows = list(first.values())
    found = near_copies(from_bytes(b"".join(sketches))[np.array(rows, np.int64)])
    return Near([(rows[a], rows[b]) for a, b in found.pairs], found.crowded)
