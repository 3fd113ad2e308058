"""The only place that opens pictures: bytes → upright 8-bit pixels, or the reason why not.

Runs in processes of its own, never in the one that draws the screen: C decoders can crash, hang, and
write to stderr. Training and classifying come through here alike, so that both see the same pixels.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from core.dataset.report import Note
from core.files import TransientError, UnreadableError

Pixels = NDArray[np.uint8]

# Naming these plugins spares the import of forty others, and whatever hides in them.
PLUGINS = (
    *(JpegImagePlugin, PngImagePlugin, WebPImagePlugin, GifImagePlugin),
    *(BmpImagePlugin, TiffImagePlugin, AvifImagePlugin, MpoImagePlugin),
)
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
    if name in Image.OPEN
)
MAX_MEGAPIXELS = 50
_ORIENTATION = 0x0112
# A strip thinner than this shows nothing when it is made square, and blows up when it is resized.
MAX_ASPECT = 50
# How files begin, after so many bytes: of the kinds that are read, and of some that are not.
_BEGINNINGS = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"%!PS", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "PSD"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"jP  ", "JPEG 2000"),
)
Image.MAX_IMAGE_PIXELS = MAX_MEGAPIXELS * 10**6
warnings.filterwarnings("ignore", module="PIL")


_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
}


class Opened(NamedTuple):
    """A picture in mode `L` or `RGB`, its kind, the size that its file states, what is not plain about it."""

    image: Image.Image
    kind: str
    width: int
    height: int
    notes: tuple[Note, ...]


class PictureError(UnreadableError):
    """A picture that cannot be used; its text says why, in words to put after the file's name."""


def decode(data: bytes, wanted: int) -> Opened:
    """Return the picture in `data`: first frame, upright, mode `L` or `RGB`, on white where see-through.

    A JPEG much larger than `wanted` pixels a side is decoded smaller, but never under twice `wanted`.

    Raises:
        PictureError: the bytes are no picture of a kind in `FORMATS`, damaged, or out of bounds.
    """
    try:
        return _decode(data, wanted)
    except PictureError:
        raise
    except MemoryError:
        raise TransientError("needs too much memory") from None
    # Damaged pictures raise nearly every exception there is, TypeError and SyntaxError among them.
    except Exception as error:
        raise PictureError(_reason(data, error)) from error


def _decode(data: bytes, wanted: int) -> Opened:
    # Not closed: a picture in mode L or RGB is handed on as it is, and memory is all it holds.
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    kind = image.format or ""
    if min(width, height) < 1:
        raise PictureError("has no pixels")
    if width * height > MAX_MEGAPIXELS * 10**6:
        size = f"{width * height / 1e6:,.0f} megapixels"
        raise PictureError(f"has {size}; the limit is {MAX_MEGAPIXELS}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(f"is too long and thin ({width}×{height})")
    rotated = _is_rotated(image)
    if kind in ("JPEG", "MPO") and min(width, height) >= 4 * wanted:
        image.draft(None, (2 * wanted, 2 * wanted))
    mode = image.mode
    # Pillow narrows deep colour itself while it loads, and only the raw mode tells.
    deep = mode.startswith(("I", "F")) or (kind in ("PNG", "TIFF") and ";16" in str(image.tile))
    image.load()
    if kind == "PNG":
        # Pillow stops reading at the last row, and would take damaged rows for a picture.
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    plain = _eight_bit(image)
    upright = _upright(plain) if rotated else plain
    notes: dict[Note, bool] = {
        "16-bit": deep,
        "CMYK": mode == "CMYK",
        "alpha": _has_alpha(image),
        "rotated": rotated,
        # Phones write a second view or a thumbnail behind a photo: that is no animation.
        "animated": kind != "MPO" and bool(getattr(image, "is_animated", False)),
    }
    return Opened(
        upright, kind, width, height, tuple(note for note, is_so in notes.items() if is_so)
    )


def fits_suffix(name: str, kind: str) -> bool:
    """Tell whether the file called `name` says of itself that it is of `kind`."""
    return name.lower().endswith(_SUFFIXES.get(kind, ()))


def kind_by_head(head: bytes) -> str | None:
    """Return which kind of picture or document begins with `head`, 16 bytes, None if that is unknown."""
    kinds = (kind for at, begins, kind in _BEGINNINGS if head[at:].startswith(begins))
    return next(kinds, None)


def not_read_here(kind: str) -> str:
    """Return the reason to refuse a kind that is known, but not in `FORMATS`."""
    return f"is a kind of picture that is not read here ({kind})"


def short_side(data: bytes) -> int:
    """Return the shorter side of the picture in `data`, from its header alone.

    Raises:
        PictureError: the header is no picture's.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return min(image.size)
    except Exception as error:
        raise PictureError(_reason(data, error)) from error


def square(image: Image.Image, size: int) -> Pixels:
    """Return the middle square of `image` at `size` x `size`: `(size, size)` if gray, else with 3 channels.

    A colour picture whose channels are all equal counts as gray.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    if (width, height) != (size, size):
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    pixels: Pixels = np.asarray(image)
    # A row tells most colour pictures from gray ones at once.
    if pixels.ndim == 3 and _is_gray(pixels[size // 2]) and _is_gray(pixels):
        return np.ascontiguousarray(pixels[..., 0])
    return pixels


def _is_gray(pixels: Pixels) -> bool:
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return bool((red == green).all() and (red == blue).all())


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Return square pixels as `(channels, size, size)`; colour becomes gray by Rec. 601 luma."""
    if pixels.ndim == 2:
        return pixels[None] if channels == 1 else np.repeat(pixels[None], channels, axis=0)
    if channels == 1:
        return np.asarray(Image.fromarray(pixels).convert("L"))[None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return `image` in mode `L` or `RGB`; plain `convert` would turn 16-bit pictures white."""
    mode = image.mode
    if mode.startswith("I;16"):
        values = np.asarray(image)
        eight = (values >> 8).astype(np.uint8)
        eight[values == image.info.get("transparency", -1)] = 255
        return Image.fromarray(eight)
    if mode in ("I", "F"):
        return Image.fromarray(_scaled(np.asarray(image)))
    if _has_alpha(image):
        return _on_white(image)
    if mode in ("L", "RGB"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Return a see-through picture laid on white, with no more copies of it than must be: it may be large."""
    clear = image.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > 255:
        # Pillow narrowed 16-bit colours to their upper bytes, but not the one that is see-through.
        image.info["transparency"] = tuple(level >> 8 for level in clear)
    if image.mode not in ("RGBA", "LA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    plain = Image.new("L" if image.mode == "LA" else "RGB", image.size, "white")
    plain.paste(image.convert(plain.mode), mask=image.getchannel("A"))
    return plain


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def _is_rotated(image: Image.Image) -> bool:
    """Tell whether the picture says that it is to be turned or mirrored when it is shown."""
    if image.format == "JPEG" and not image.info.keys() & {"exif", "xmp"}:
        return False
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    # A damaged EXIF block says nothing of the pixels.
    except Exception:  # noqa: BLE001
        return False


def _scaled(values: NDArray[np.int32] | NDArray[np.float32]) -> Pixels:
    """Return 32-bit samples as 8 bits: whole numbers by the range they are in, fractions from 0 to 1."""
    if not np.isfinite(values).all():
        raise PictureError("holds values that are not numbers")
    top = float(values.max())
    if values.dtype.kind == "f" and top <= 1:
        full = 1.0
    else:
        full = next(limit for limit in (255.0, 65_535.0, np.inf) if top <= limit)
        full = float(np.iinfo(np.int32).max) if full == np.inf else full
    return (np.clip(values / full, 0, 1) * 255 + 0.5).astype(np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # A damaged EXIF block says nothing of the pixels, which are whole by now.
    except Exception:  # noqa: BLE001
        return image


def _reason(data: bytes, error: Exception) -> str:
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "is a web page or drawing, not a picture"
    text = str(error).lower()
    if "truncated" in text or isinstance(error, EOFError | struct.error):
        return "ends too early"
    if isinstance(error, Image.DecompressionBombError):
        return f"has more than {2 * MAX_MEGAPIXELS} megapixels; the limit is {MAX_MEGAPIXELS}"
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(data)
    return "is damaged"


def _unidentified(data: bytes) -> str:
    kind = kind_by_head(data[:16])
    if kind in FORMATS:
        return f"is damaged: it begins like a {kind} file, but its header cannot be read"
    if kind:
        return not_read_here(kind)
    return f"is not a picture of a kind that is read here ({', '.join(FORMATS)})"
