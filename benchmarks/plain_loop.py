"""What a person would write instead of the intake: one process, Pillow, one picture after the other.

    python -m benchmarks.plain_loop DATA SIZE

Does the work of scan, doctor and decoding alike: reads each file, hashes it, decodes it whole, sets it
upright, makes the middle square of SIZE, tells gray from colour, and takes the 64-bit perceptual hash
(DCT, Zauner 2010) by which equal-looking pictures are found. Prints how many pictures of how many kinds.
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

BITS = 8
FINE = 32
_AT = (np.arange(FINE) + 0.5) / FINE
WAVES = np.cos(np.pi * np.arange(BITS)[:, None] * _AT)


def main() -> None:
    data, size = Path(sys.argv[1]), int(sys.argv[2])
    exact: set[str] = set()
    looks: set[bytes] = set()
    squares, gray = [], 0
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            exact.add(hashlib.blake2b(content, digest_size=16).hexdigest())
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
            short = min(size, *image.size)
            square = ImageOps.fit(image, (short, short), Image.Resampling.BILINEAR)
            pixels = np.asarray(square)
            gray += bool((pixels[..., :1] == pixels[..., 1:]).all())
            small = np.asarray(square.convert("L").resize((FINE, FINE)), np.float64)
            waves = WAVES @ small @ WAVES.T
            looks.add(np.packbits(waves > np.median(waves)).tobytes())
            squares.append(pixels)
    print(len(squares), len(exact), len(looks), gray, sum(square.nbytes for square in squares))


if __name__ == "__main__":
    main()
