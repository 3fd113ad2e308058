"""Near copies are found, strangers are told apart, and pictures that are all alike are no copies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from core.dataset.decode import Pixels, decode, square, with_channels
from core.dataset.sketch import RADIUS, from_bytes, is_blank, near_copies, sketch
from tests.core.conftest import picture


def scene(seed: int, size: int = 64) -> Image.Image:
    """Return a picture with a content of its own: soft blots of noise, in colour."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    grain = np.random.default_rng(seed + 10**6).normal(0, 4, (size, size, 3))
    soft = Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))


def stored(image: Image.Image, size: int = 64) -> Pixels:
    return with_channels(square(image, size), 3)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue(), 64).image


def smaller(image: Image.Image, how: Image.Resampling) -> Image.Image:
    return image.resize((round(0.9 * image.width), round(0.9 * image.height)), how)


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "quality 30": lambda image: compressed(image, 30),
    "quality 80": lambda image: compressed(image, 80),
    "scaled": lambda image: smaller(image, Image.Resampling.BILINEAR),
    "scaled and compressed": lambda i: compressed(smaller(i, Image.Resampling.LANCZOS), 60),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_altered_copies_are_found_and_nothing_else(kind: str) -> None:
    scenes = [scene(seed) for seed in range(120)]
    copies = [ALTERED[kind](image) for image in scenes[:30]]
    found = near_copies(sketch(np.stack([stored(image) for image in [*scenes, *copies]])))
    assert sorted(found.pairs) == [(i, 120 + i) for i in range(30)]
    assert found.crowded == 0


def test_a_data_set_in_which_every_picture_has_a_copy() -> None:
    scenes = [scene(seed) for seed in range(60)]
    both = [*scenes, *[compressed(image, 50) for image in scenes]]
    found = near_copies(sketch(np.stack([stored(image) for image in both])))
    assert sorted(found.pairs) == [(i, 60 + i) for i in range(60)]


def test_pictures_of_one_arrangement_are_no_copies_of_each_other() -> None:
    # All of them light from below: a hundred pictures whose low frequencies are nearly the same.
    alike = [picture(1, seed) for seed in range(100)]
    copies = [compressed(image, 80) for image in alike[:10]]
    found = near_copies(sketch(np.stack([stored(image) for image in [*alike, *copies]])))
    assert sorted(found.pairs) == [(i, 100 + i) for i in range(10)]
    assert found.crowded >= 100


def test_blank_pictures_are_near_nothing() -> None:
    blank = np.stack([np.full((3, 32, 32), level, np.uint8) for level in (0, 0, 120, 255)])
    sketches = sketch(blank)
    assert is_blank(sketches).all() and near_copies(sketches).pairs == []


def test_one_shape_in_two_colours_is_no_copy() -> None:
    shape = scene(7).convert("L").filter(ImageFilter.GaussianBlur(2))
    black = Image.new("L", shape.size)
    tinted = [Image.merge("RGB", (shape, black, black)), Image.merge("RGB", (black, black, shape))]
    strangers = [scene(seed) for seed in range(10)]
    squares = np.stack([stored(image) for image in [*tinted, *strangers]])
    assert near_copies(sketch(squares)).pairs == []


def test_gray_and_colour_squares_of_one_picture_have_one_sketch() -> None:
    gray = np.stack([with_channels(square(scene(seed).convert("L"), 48), 1) for seed in range(4)])
    apart = np.abs(sketch(gray).astype(float) - sketch(gray.repeat(3, axis=1)).astype(float))
    assert apart[:, :143].max() < RADIUS / 50


def test_pictures_of_few_pixels_have_sketches_too() -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), np.uint8)
    sketches = sketch(np.concatenate([tiny, tiny[:5]]))
    assert np.isfinite(sketches).all()
    assert sorted(near_copies(sketches).pairs) == [(i, 50 + i) for i in range(5)]


def test_every_pair_that_comparing_all_with_all_finds_is_found() -> None:
    random = np.random.default_rng(3)
    shapes = random.normal(0, 1, (1500, 143))
    shapes[1000:] = shapes[:500] + random.normal(0, 0.008, (500, 143)) * np.sqrt(143)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    sketches = np.concatenate([shapes, np.full((1500, 3), 99.0)], axis=1).astype(np.float16)
    exact = from_bytes(sketches.tobytes())[:, :143].astype(np.float64)
    squared = (exact**2).sum(axis=1)
    apart = squared[:, None] + squared - 2 * exact @ exact.T
    wanted = {(a, b) for a, b in zip(*np.nonzero(apart <= RADIUS**2), strict=True) if a < b}
    assert len(wanted) > 300
    assert {tuple(sorted(pair)) for pair in near_copies(sketches).pairs} == wanted
