"""Near copies: pictures that were compressed again or scaled, told from others that only look alike.

A sketch is the low-frequency corner of a picture's cosine transform without its mean, scaled to length 1,
as in perceptual hashes (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010, section 3.2.1), but kept as numbers: their distance separates copies from strangers far better
than that of bits. Two pictures are near copies when their sketches are at most `RADIUS` apart and their
mean colours at most `TINT`, but far closer to each other than to their neighbourhood, as in the ratio test
of Lowe ("Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 7.1). A few at most
`FAMILY` apart are copies whatever their neighbourhood; a large share of the set so close is a crowd of
pictures that are all alike, as X-ray pictures or frames of a film.
Measured on 10,000 aligned faces in `benchmarks/intake.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.dataset.decode import Pixels

# Frequencies a side; the mean of the picture is not among them.
SIDE = 12
LENGTH = SIDE * SIDE - 1
RADIUS = 0.15
# Of 255, per colour: two drawings of one shape in two colours are not copies.
TINT = 10.0
# A picture whose levels vary less than this is blank: noise would decide what it looks like.
LEAST_CONTRAST = 2.0
# Copies are at most so far apart, as a share of the distance to the neighbour that stands for the crowd.
SIBLINGS = 0.4
CROWD = 16
# So close are most copies; a family has at most so many members, or so large a share of the set.
FAMILY = 0.045
MOST_IN_FAMILY = 32
FAMILY_SHARE = 0.1
# Among so many pictures of a large set each looks for its neighbours.
CROWD_SAMPLE = 1024
# Space is cut into cubes along the directions in which sketches vary most, as wide as copies are apart.
AXES = 5
LEAST_SIDE = 0.004
# Of all directions, so many of the widest are compared first: they tell nearly all strangers apart.
FIRST_AXES = 12
# In a cube crowded with look-alikes each picture is compared with so many of them.
MOST_PER_CUBE = 1024
PAIRS_AT_ONCE = 65_536
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Sketches = NDArray[np.float16]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def sketch(squares: Pixels) -> Sketches:
    """Return `(N, LENGTH + 3)`: the sketches of `(N, channels, S, S)` and the mean red, green, blue.

    A blank picture's sketch is zero.
    """
    count, channels, size, _ = squares.shape
    values = squares.astype(np.float32)
    # Rec. 601 luma, as everywhere where colour becomes gray.
    luma = values[:, 0] if channels == 1 else np.tensordot(values, LUMA, axes=(1, 0))
    waves = _waves(size)
    columns = luma.reshape(count * size, size) @ waves.T
    corner = columns.reshape(count, size, SIDE).transpose(0, 2, 1) @ waves.T
    corner = corner.reshape(count, SIDE * SIDE)[:, 1:] / size
    contrast = np.linalg.norm(corner, axis=1, keepdims=True)
    corner = np.where(contrast < LEAST_CONTRAST, 0, corner / np.maximum(contrast, 1e-6))
    means = np.broadcast_to(values.mean(axis=(2, 3)), (count, 3))
    return np.concatenate([corner, means], axis=1).astype(np.float16)


def from_bytes(sketches: bytes) -> Sketches:
    """Return the sketches that `sketch` gave, one after the other as bytes, as `(N, LENGTH + 3)`."""
    return np.frombuffer(sketches, np.float16).reshape(-1, LENGTH + 3)


def is_blank(sketches: Sketches) -> NDArray[np.bool_]:
    """Tell for each sketch whether its picture is of one colour all over."""
    return np.logical_not(sketches[:, :LENGTH].any(axis=1))


class Near(NamedTuple):
    """Pairs of rows that are near copies, and how many rows lie in a crowd of pictures all alike."""

    pairs: list[tuple[int, int]]
    crowded: int


def near_copies(sketches: Sketches) -> Near:
    """Return which rows of `(N, LENGTH + 3)` are near copies; blank pictures are near nothing.

    Every pair is found as long as no cube holds more than `MOST_PER_CUBE` pictures: directions that are
    at right angles never lengthen a distance, so near copies lie in the same cube or in one beside it.
    """
    rows = np.flatnonzero(~is_blank(sketches))
    if len(rows) < 2:
        return Near([], 0)
    shapes = _turned(sketches[rows, :LENGTH].astype(np.float32))
    tints = sketches[rows, LENGTH:].astype(np.float32)
    crowd = _to_crowd(shapes)
    # Beyond its family a sketch reaches so far; one in a crowd has none.
    reach = np.where(crowd > FAMILY, np.maximum(SIBLINGS * crowd, FAMILY), SIBLINGS * crowd)
    reach = np.minimum(reach, RADIUS).astype(np.float32)
    cubes = _cubes(shapes, max(float(reach.max()), LEAST_SIDE))
    reach **= 2
    # Rows of their own, which are gathered several times faster than the beginnings of long ones.
    firsts = np.ascontiguousarray(shapes[:, :FIRST_AXES])
    pairs: list[tuple[int, int]] = []
    for a, b in _neighbours(cubes):
        limits = np.minimum(reach.take(a), reach.take(b))
        near = _squares(firsts.take(a, axis=0) - firsts.take(b, axis=0)) <= limits
        a, b, limits = a[near], b[near], limits[near]
        near = _squares(shapes[a] - shapes[b]) <= limits
        near &= np.abs(tints[a] - tints[b]).max(axis=1) <= TINT
        first, second = np.minimum(a[near], b[near]), np.maximum(a[near], b[near])
        pairs += zip(rows[first].tolist(), rows[second].tolist(), strict=True)
    return Near(pairs, int((crowd < RADIUS).sum()))


def _to_crowd(shapes: Floats) -> Floats:
    """Return how far each sketch is from about its 16th neighbour that is no copy of it.

    In a large set neighbours are looked for in a sample, and at least the second there is taken: one may
    be a copy.
    """
    count = len(shapes)
    sample = np.unique(np.linspace(0, count - 1, min(count, CROWD_SAMPLE)).round().astype(np.int64))
    neighbour = min(CROWD, max(count // 4, 2))
    rank = min(max(round(neighbour * len(sample) / count), 2), len(sample) - 1)
    family = max(min(MOST_IN_FAMILY, count / 3), FAMILY_SHARE * count) * len(sample) / count
    chosen = shapes[sample]
    sizes = _squares(chosen)
    far = np.empty(count, np.float32)
    for start in range(0, count, CROWD_SAMPLE):
        some = shapes[start : start + CROWD_SAMPLE]
        squared = _squares(some)[:, None] + sizes - 2 * some @ chosen.T
        # Each is no neighbour of itself.
        squared[sample == np.arange(start, start + len(some))[:, None]] = np.inf
        close = squared <= FAMILY**2
        squared[close & (close.sum(axis=1) <= max(family, 1))[:, None]] = np.inf
        nearest = np.partition(squared, rank - 1, axis=1)[:, rank - 1]
        far[start : start + len(some)] = np.sqrt(np.maximum(nearest, 0))
    return far


def _squares(differences: Floats) -> Floats:
    sums: Floats = np.einsum("nd,nd->n", differences, differences)
    return sums


def _turned(shapes: Floats) -> Floats:
    """Return the sketches along their principal axes, the widest first; distances stay as they are."""
    centred = shapes - shapes.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    turned: Floats = centred @ axes[:, ::-1]
    return turned


def _cubes(shapes: Floats, side: float) -> Ints:
    """Return `(N, AXES)`: the cube of `side` that each sketch lies in, counted from 1 along each axis."""
    cubes = np.floor(shapes[:, :AXES] / side).astype(np.int64)
    # One free cube on every side, so that a neighbour never wraps around.
    free: Ints = cubes - cubes.min(axis=0) + 1
    return free


def _neighbours(cubes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield arrays of pairs whose cubes are the same or touch, each pair once."""
    spans = cubes.max(axis=0) + 2
    strides = np.append(np.cumprod(spans[::-1])[::-1][1:], 1)
    codes = cubes @ strides
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    here = np.arange(len(codes))
    for step in itertools.product((-1, 0, 1), repeat=AXES):
        offset = int(np.dot(step, strides))
        if offset < 0:
            continue
        first = np.searchsorted(codes, codes + offset, "left")
        last = np.searchsorted(codes, codes + offset, "right")
        if offset == 0:
            # In its own cube each is paired with those behind it.
            first = here + 1
        counts = np.clip(last - first, 0, MOST_PER_CUBE)
        for a, b in _expanded(here, first, counts):
            yield order[a], order[b]


def _expanded(rows: Ints, first: Ints, counts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield (row, partner) for the partners `first .. first + count` of each row, some at a time."""
    some = counts > 0
    rows, first, counts = rows[some], first[some], counts[some]
    ends = np.cumsum(counts)
    start = 0
    while start < len(rows):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, "right")), start + 1)
        part = counts[start:stop]
        begins = np.repeat(first[start:stop] - (ends[start:stop] - part - done), part)
        yield np.repeat(rows[start:stop], part), begins + np.arange(part.sum())
        start = stop


@cache
def _waves(size: int) -> Floats:
    """Return the first `SIDE` rows of the orthonormal cosine transform (DCT-II) of `size` values."""
    at = (np.arange(size) + 0.5) / size
    waves = np.cos(np.pi * np.arange(SIDE)[:, None] * at) * np.sqrt(2 / size)
    waves[0] /= np.sqrt(2)
    # A picture of fewer pixels has no higher frequencies: those would be its low ones again.
    waves[size:] = 0
    rows: Floats = waves.astype(np.float32)
    return rows
