"""Pictures of every kind come out as the same upright 8-bit pixels, or are refused by name."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.dataset.decode import PictureError, decode, square, with_channels
from tests.core.conftest import picture

COLOUR = picture(1, seed=5, size=40)
GRAY = COLOUR.convert("L")


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, size: int = 40) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return square(decode(data, size).image, size)


def refusal(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, 64)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_lossless_kinds_give_the_same_gray_pixels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (pixels(encoded(GRAY, kind, **options)) == np.asarray(GRAY)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_c034_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    turned = COLOUR
    for how in undo.get(orientation, []):
        turned = turned.transpose(how)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (pixels(encoded(turned, "PNG", exif=exif)) == np.asarray(COLOUR)).all()


def test_c031_16_bit_pictures_are_scaled_not_clipped() -> None:
    wide = Image.fromarray(np.asarray(GRAY).astype(np.uint16) * 257)
    assert wide.mode.startswith("I;16")
    assert (pixels(encoded(wide)) == np.asarray(GRAY)).all()
    assert (pixels(encoded(wide, "TIFF")) == np.asarray(GRAY)).all()


def test_c031_float_pictures_are_scaled() -> None:
    unit = Image.fromarray(np.asarray(GRAY).astype(np.float32) / 255)
    assert np.abs(pixels(encoded(unit, "TIFF")).astype(int) - np.asarray(GRAY)).max() <= 1
    broken = Image.fromarray(np.full((8, 8), np.nan, np.float32))
    assert "not numbers" in refusal(encoded(broken, "TIFF"))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "1"])
def test_c032_c033_other_modes_are_converted(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    converted = COLOUR.convert(mode)
    wanted = np.asarray(converted.convert("RGB"), int)
    got = with_channels(pixels(encoded(converted, kind)), 3).transpose(1, 2, 0).astype(int)
    assert np.abs(got - wanted).max() <= 1


def test_c032_what_is_see_through_is_white() -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (pixels(encoded(clear), 8) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([200, 0, 0] * 256)
    assert (pixels(encoded(palette, "PNG", transparency=0), 8) == 255).all()


def test_c032_a_see_through_level_of_16_bits_is_white_as_one_of_8() -> None:
    gray = np.asarray(GRAY).copy()
    gray[:10] = 7
    shallow = encoded(Image.fromarray(gray), "PNG", transparency=7)
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    assert (pixels(shallow)[:10] == 255).all()
    assert (pixels(encoded(deep, "PNG", transparency=7 * 257)) == pixels(shallow)).all()


def test_c032_half_see_through_is_half_white() -> None:
    half = Image.new("RGBA", (8, 8), (100, 0, 200, 128))
    wanted = [round(255 + (level - 255) * 128 / 255) for level in (100, 0, 200)]
    assert np.abs(pixels(encoded(half), 8)[0, 0].astype(int) - wanted).max() <= 1
    gray = Image.merge("LA", (Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 128)))
    assert np.abs(pixels(encoded(gray), 8).astype(int) - wanted[0]).max() <= 1


def test_c035_of_an_animation_the_first_frame_is_seen() -> None:
    second = Image.new("L", GRAY.size, 0)
    assert (
        pixels(encoded(GRAY, "GIF", save_all=True, append_images=[second])) == np.asarray(GRAY)
    ).all()


def test_a_colour_picture_without_colour_counts_as_gray() -> None:
    assert pixels(encoded(GRAY.convert("RGB"))).ndim == 2
    assert pixels(encoded(COLOUR)).ndim == 3


def test_the_middle_square_is_taken() -> None:
    wide = Image.new("RGB", (120, 40), "red")
    wide.paste(COLOUR, (40, 0))
    assert (pixels(encoded(wide)) == np.asarray(COLOUR)).all()


def test_a_large_jpeg_is_decoded_small_and_says_its_true_size() -> None:
    opened = decode(encoded(COLOUR.resize((1600, 1200)), "JPEG"), 64)
    assert (opened.width, opened.height) == (1600, 1200)
    assert 128 <= min(opened.image.size) < 1200


def test_c036_one_pixel_is_a_picture() -> None:
    assert (pixels(encoded(Image.new("L", (1, 1), 7)), 4) == 7).all()


def test_c024_a_bomb_is_refused_by_its_header() -> None:
    huge = bytearray(encoded(Image.new("1", (8, 8))))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    assert "megapixels" in refusal(bytes(huge))


def test_c025_resize_bomb() -> None:
    assert "long and thin" in refusal(encoded(Image.new("L", (1, 6000))))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html><body>404</body></html>", "web page"),
        (b"not a picture at all", "not a picture"),
        (encoded(COLOUR, "JPEG")[:400], "too early"),
        (encoded(COLOUR)[:300], "too early"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not read here (EPS)"),
    ],
)
def test_c014_c030_c037_bad_files_say_what_is_wrong(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_c027_no_damage_escapes_as_another_error() -> None:
    random = np.random.default_rng(3)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        good = np.frombuffer(encoded(COLOUR, kind), np.uint8)
        for _ in range(60):
            data = good.copy()
            data[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
            try:
                decode(data.tobytes(), 64)
            except PictureError as error:
                assert str(error)


def test_c040_damage_inside_a_png_is_seen() -> None:
    good = encoded(COLOUR)
    for at in range(60, len(good) - 20, 97):
        data = bytearray(good)
        data[at] ^= 0x10
        assert "damaged" in refusal(bytes(data)) or "too early" in refusal(bytes(data))
