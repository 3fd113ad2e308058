"""One picture in every mode, format and orientation: one label, one confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.classify_row import Case, Row
from core.engine import Source
from core.prediction.classifier import Classifier

LOSSLESS, LOSSY = 1e-4, 0.02
# How a picture is to be turned so that its EXIF orientation turns it back.
_UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


async def kinds(case: Case) -> list[Row]:
    """Write a picture in many ways and compare the answers with that for its plain PNG."""
    with Image.open(case.some(1)[0]) as opened:
        gray = opened.convert("L").resize((192, 192), Image.Resampling.BICUBIC)
    folder = case.folder / "kinds"
    folder.mkdir()
    lossless, lossy = _lossless(gray, folder), _lossy(gray, folder)
    async with Classifier(case.model) as classifier:
        wanted = await classifier.classify(Source(str(lossless[0])))
        differences = {}
        for path in (*lossless, *lossy):
            answer = await classifier.classify(Source(str(path)))
            other = 1.0 if answer.label != wanted.label else 0.0
            differences[path] = max(other, abs(answer.confidence - wanted.confidence))
    worst = max(differences[path] for path in lossless)
    loss = max(differences[path] for path in lossy)
    figure = f"one label, confidence within {worst:.1e}"
    return [
        Row(f"{len(lossless)} lossless kinds of one picture", figure, "≤ 1e-4", worst <= LOSSLESS),
        Row(
            f"{len(lossy)} lossy kinds of it",
            f"one label, confidence within {loss:.4f}",
            "≤ 0.02",
            loss <= LOSSY,
        ),
    ]


def _lossless(gray: Image.Image, folder: Path) -> list[Path]:
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    paths = []

    def save(image: Image.Image, name: str, **options: object) -> None:
        image.save(folder / name, **options)  # type: ignore[arg-type]
        paths.append(folder / name)

    for mode in ("L", "RGB", "RGBA", "LA", "P"):
        save(gray.convert(mode), f"{mode}.png")
    save(wide, "16-bit.png")
    save(wide, "16-bit.tiff")
    for mode in ("L", "RGB", "RGBA", "CMYK", "P"):
        save(gray.convert(mode), f"{mode}.tiff", compression="tiff_lzw")
    save(Image.fromarray(np.asarray(gray).astype(np.float32) / 255), "float.tiff")
    for mode in ("RGB", "RGBA"):
        save(gray.convert(mode), f"{mode}.webp", lossless=True)
    save(gray, "L.gif")
    save(gray.convert("RGB"), "RGB.bmp")
    for orientation, turn in _UNDO.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = gray if turn is None else gray.transpose(turn)
        for kind in ("png", "tiff", "webp"):
            options = {"lossless": True} if kind == "webp" else {}
            save(turned.convert("RGB"), f"orientation-{orientation}.{kind}", exif=exif, **options)
    return paths


def _lossy(gray: Image.Image, folder: Path) -> list[Path]:
    paths = []
    for mode in ("L", "RGB", "CMYK"):
        paths.append(folder / f"{mode}.jpg")
        gray.convert(mode).save(paths[-1], quality=95)
    for kind in ("webp", "avif"):
        paths.append(folder / f"lossy.{kind}")
        gray.convert("RGB").save(paths[-1], quality=90)
    for orientation, turn in _UNDO.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = gray if turn is None else gray.transpose(turn)
        paths.append(folder / f"orientation-{orientation}.jpg")
        turned.save(paths[-1], exif=exif, quality=95)
    return paths
