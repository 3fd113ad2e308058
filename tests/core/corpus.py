"""Every kind of bad or odd file that people have among their pictures, made anew, with what must be said."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.core.conftest import picture

COLOUR = picture(1, seed=41, size=64)
GRAY = COLOUR.convert("L")


class Kind(NamedTuple):
    """A file to write, and the words that must stand in its reason, or the note on a picture in use."""

    name: str
    write: Callable[[Path], object]
    reason: str = ""
    note: str = ""


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def holding(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def png_saying(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims another size."""
    data = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def sparse(size: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        path.write_bytes(JPEG)
        os.truncate(path, size)

    return write


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(COLOUR, "JPEG", exif=exif)


JPEG = encoded(COLOUR, "JPEG")
PNG = encoded(COLOUR, "PNG")
BROKEN_EXIF = encoded(COLOUR, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 40)
ANIMATED = {"save_all": True, "append_images": [GRAY.point(lambda v: 255 - v)]}
WIDE = Image.fromarray(np.asarray(GRAY).astype(np.uint16) * 257)
NAN = Image.fromarray(np.full((32, 32), np.nan, np.float32))

BAD = (
    Kind("empty.jpg", holding(b""), "is empty"),
    Kind("zeros.jpg", holding(bytes(4096)), "not a picture"),
    Kind("noise.png", holding(bytes(range(256)) * 8), "not a picture"),
    Kind("words.jpg", holding(b"This is not a picture.\n"), "not a picture"),
    Kind("page.jpg", holding(b"<!DOCTYPE html><html>404"), "web page"),
    Kind("page2.jpg", holding(b"\n\n  <html><body>Forbidden"), "web page"),
    Kind(
        "drawing.png", holding(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "web page or drawing"
    ),
    Kind("answer.jpg", holding(b'{"error": "rate limited"}'), "not a picture"),
    Kind("half.jpg", holding(JPEG[: len(JPEG) // 2]), "too early"),
    Kind("no-end.jpg", holding(JPEG[:-40]), "too early"),
    Kind("only-header.jpg", holding(JPEG[:20]), "damaged"),
    Kind("half.png", holding(PNG[: len(PNG) // 2]), "too early"),
    Kind("half.gif", holding(encoded(COLOUR, "GIF")[:900]), "too early"),
    Kind("half.bmp", holding(encoded(COLOUR, "BMP")[:900]), "too early"),
    Kind("half.tif", holding(encoded(COLOUR, "TIFF")[:4000]), "too early"),
    Kind("half.webp", holding(encoded(COLOUR, "WEBP")[:900]), ""),
    Kind("flipped.png", holding(PNG[:200] + b"\xff\xff" + PNG[202:]), "damaged"),
    Kind("header-only.png", holding(PNG[:8]), "damaged"),
    Kind("bomb.png", holding(png_saying(60_000, 60_000)), "megapixels"),
    Kind("large.png", holding(png_saying(9_000, 9_000)), "megapixels; the limit is 50"),
    Kind("strip.png", holding(encoded(Image.new("L", (1, 6000)), "PNG")), "too long and thin"),
    Kind("flat.png", holding(encoded(Image.new("L", (6000, 2)), "PNG")), "too long and thin"),
    Kind("no-width.gif", holding(b"GIF89a\0\0\x10\0\0\0\0;"), ""),
    Kind("huge.jpg", sparse(101 * 2**20), "larger than 100 MiB"),
    Kind("figure.jpg", holding(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "not read here (EPS)"),
    Kind("paper.jpg", holding(b"%PDF-1.7\n"), "not read here (PDF)"),
    Kind("layers.png", holding(b"8BPS\0\1" + bytes(60)), "not read here (PSD)"),
    Kind("phone.jpg", holding(b"\0\0\0\x18ftypheic" + bytes(60)), "not read here (HEIC)"),
    Kind("photo.HEIC", holding(b"\0\0\0\x18ftypheic" + bytes(60)), "not read here (HEIC)"),
    Kind("art.psd", holding(b"8BPS\0\1" + bytes(60)), "not read here (PSD)"),
    Kind("film.jpg", holding(b"\0\0\0\x18ftypmp42" + bytes(60)), "not a picture"),
    Kind("jp2.jpg", holding(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60)), "not read here (JPEG 2000)"),
    Kind("archive.png", holding(b"PK\3\4" + bytes(60)), "not a picture"),
    Kind("not-numbers.tif", holding(encoded(NAN, "TIFF")), "not numbers"),
    Kind("labels.txt", holding(b"happy 0.9\n"), "not a picture"),
    Kind("labels.csv", holding(b"a,b\n"), "not a picture"),
    Kind("README", holding(b"read me\n"), "not a picture"),
    Kind("Thumbs.db", holding(b"\xd0\xcf\x11\xe0"), "system file"),
    Kind("._mac.jpg", holding(b"\0\5\x16\7"), "system file"),
    Kind("pipe.jpg", lambda path: os.mkfifo(path), "not a regular file"),
    Kind("device.jpg", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    Kind("nowhere.jpg", lambda path: path.symlink_to("gone.jpg"), "cannot be opened"),
    Kind("circle.jpg", lambda path: path.symlink_to("circle.jpg"), "cannot be opened"),
    Kind("outside.jpg", lambda path: path.symlink_to("/etc/passwd"), "leads outside"),
    Kind("again.jpg", lambda path: path.symlink_to("good.png"), "counted already"),
    Kind("above", lambda path: path.symlink_to(".."), "link"),
    Kind("bad\udcffname.jpg", holding(b"x"), "not a picture"),
    Kind("\x1b[31mred\n.jpg", holding(b"x"), "not a picture"),
)
ODD = (
    Kind("good.png", holding(PNG)),
    Kind("really-png.jpg", holding(PNG), note="wrong suffix"),
    Kind("really-jpeg.png", holding(JPEG), note="wrong suffix"),
    Kind("really-jpeg.txt", holding(JPEG), note="wrong suffix"),
    Kind("nosuffix", holding(JPEG), note="wrong suffix"),
    Kind("UPPER.JPG", holding(JPEG)),
    Kind("moving.gif", holding(encoded(GRAY, "GIF", **ANIMATED)), note="animated"),
    Kind("moving.png", holding(encoded(GRAY, "PNG", **ANIMATED)), note="animated"),
    Kind("moving.webp", holding(encoded(COLOUR, "WEBP", **ANIMATED)), note="animated"),
    Kind("pages.tif", holding(encoded(GRAY, "TIFF", **ANIMATED)), note="animated"),
    Kind("deep.png", holding(encoded(WIDE, "PNG")), note="16-bit"),
    Kind("deep.tif", holding(encoded(WIDE, "TIFF")), note="16-bit"),
    Kind("ink.jpg", holding(encoded(COLOUR.convert("CMYK"), "JPEG")), note="CMYK"),
    Kind("ink.tif", holding(encoded(COLOUR.convert("CMYK"), "TIFF")), note="CMYK"),
    Kind("clear.png", holding(encoded(COLOUR.convert("RGBA"), "PNG")), note="alpha"),
    Kind("clear-gray.png", holding(encoded(COLOUR.convert("LA"), "PNG")), note="alpha"),
    *(Kind(f"turned{k}.jpg", holding(turned(k)), note="rotated") for k in range(2, 9)),
    Kind("upright.jpg", holding(turned(1))),
    Kind("broken-exif.jpg", holding(BROKEN_EXIF)),
    Kind("black.png", holding(encoded(Image.new("L", (64, 64)), "PNG")), note="blank"),
    Kind("tiny.png", holding(encoded(Image.new("L", (1, 1), 9), "PNG")), note="enlarged"),
    Kind("two-colours.png", holding(encoded(COLOUR.convert("1"), "PNG"))),
    Kind("palette.png", holding(encoded(COLOUR.convert("P"), "PNG"))),
    Kind("trailing.jpg", holding(JPEG + b"some words behind the end")),
)


def write_corpus(folder: Path) -> dict[str, Kind]:
    """Write one file of each kind into `folder`; return the kinds by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (*BAD, *ODD):
        kind.write(folder / kind.name)
    return {kind.name: kind for kind in (*BAD, *ODD)}
