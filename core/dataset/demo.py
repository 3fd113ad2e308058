"""The built-in example: drawn happy and sad faces, told apart by the mouth and by little else.

A face is drawn in its own space (the head reaches from -1 to 1, y points down), then placed on the
picture. The mood is one sign that bends the mouth and leans the brows; all random draws are the same
for both moods, so that nothing else can tell them apart.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Literal, get_args

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from core.dataset.writing import new_class_folders
from core.errors import UserError

Mood = Literal["happy", "sad"]
Point = tuple[float, float]
Shape = list[Point]
Colour = tuple[int, int, int]
Progress = Callable[[int, int], None]

CLASSES: tuple[Mood, ...] = get_args(Mood)
FEWEST, MOST = 20, 1_000_000
_FINE = 4  # Drawn this many times larger, then scaled down: that is the anti-aliasing.
_WHITE: Colour = (245, 245, 245)
_HATS: tuple[Shape, ...] = (
    [(-0.55, -0.75), (0.0, -1.7), (0.55, -0.75)],
    [(-1, -0.7), (-0.6, -0.7), (-0.6, -1.5), (0.6, -1.5), (0.6, -0.7), (1, -0.7)],
    [(-0.7, -0.7), (-0.8, -1.3), (-0.3, -1), (0, -1.4), (0.3, -1), (0.8, -1.3), (0.7, -0.7)],
    [(-1, -0.5), (-0.85, -0.75), (0.85, -0.75), (1, -0.5)],
)


def write_demo(
    folder: Path, images: int = 2000, seed: int = 0, progress: Progress | None = None
) -> dict[str, list[Path]]:
    """Write `images` faces (64x64, PNG) to `folder/happy` and `folder/sad`, half of them to each.

    A picture depends on seed, class and number alone: a larger set begins with the smaller one.
    `progress` is told (done, total). What ends early takes back what it wrote.

    Raises:
        UserError: `images` is out of range, `folder` holds something, or it cannot be written.
    """
    if not isinstance(images, int) or not FEWEST <= images <= MOST:
        raise UserError(f"{images} pictures cannot be drawn", f"Choose {FEWEST} to {MOST:,}.")
    written: dict[str, list[Path]] = {mood: [] for mood in CLASSES}
    with new_class_folders(folder, CLASSES, "The example"):
        for number in range(1, images // 2 + 1):
            for mood in CLASSES:
                path = folder / mood / f"{mood}-{number:04d}.png"
                draw_face(mood, Random(f"{seed}/{mood}/{number}")).save(path)
                written[mood].append(path)
            if progress is not None:
                progress(2 * number, images // 2 * 2)
    return written


def draw_face(mood: Mood, rng: Random, size: int = 64) -> Image.Image:
    """Return one face, RGB, `size` x `size`; the same `rng` state gives twins of both moods."""
    face = _Face(rng, size * _FINE, 1.0 if mood == "happy" else -1.0)
    for part in (face.scene, face.head, face.eyes, face.beard, face.mouth, face.hide):
        part()
    return _photograph(face.image.reduce(_FINE), rng)


class _Face:
    """One face being drawn: its picture, its pose, its colours."""

    def __init__(self, rng: Random, side: int, mood: float) -> None:
        self.rng, self.mood, radius = rng, mood, rng.uniform(0.36, 0.44) * side
        mid, slack, angle = side / 2, 0.57 * side - radius, math.radians(rng.triangular(-25, 25))
        self.x, self.y = mid + rng.uniform(-0.5, 0.5) * slack, mid + rng.uniform(-0.3, 0.4) * slack
        self.stroke, wide = rng.uniform(0.06, 0.11) * radius, rng.uniform(0.82, 1.05)
        self.down = -radius * math.sin(angle), radius * math.cos(angle)
        self.right = wide * self.down[1], -wide * self.down[0]
        self.turn, self.low = rng.uniform(-0.14, 0.14), rng.uniform(0.4, 0.47)
        self.style = rng.choices(("filled", "outlined", "line", "sketch"), (3, 5, 2, 2))[0]
        # Skin and ink stand far apart in brightness, so that the mouth is seen in any colours.
        light = rng.random() < 0.9
        skin = rng.uniform(0.55, 0.92) if light else rng.uniform(0.1, 0.38)
        ink = rng.uniform(0, skin - 0.45) if light else rng.uniform(skin + 0.45, 1)
        self.skin, self.ink = _tint(rng, skin), _tint(rng, ink)
        self.edge = None if self.style == "filled" else self.ink
        back = skin + rng.uniform(0.15, 0.4) * (-1 if light else 1)
        self.back = self.skin if self.style in ("line", "sketch") else _tint(rng, back)
        self.hair, self.cloth = _tint(rng, rng.uniform(0.1, 0.9)), _tint(rng, rng.uniform(0.1, 0.9))
        self.lips = _tint(rng, ink + rng.uniform(0, 0.4) * (skin - ink))
        self.image = Image.new("RGB", (side, side), self.back)
        self.draw = ImageDraw.Draw(self.image)

    def at(self, points: Iterable[Point]) -> Shape:
        """Return where points of the face lie on the picture."""
        (a, b), (c, d) = self.right, self.down
        return [(self.x + a * x + c * y, self.y + b * x + d * y) for x, y in points]

    def line(self, points: Shape, colour: Colour, width: float = 1.0) -> None:
        """Draw a stroke with round ends; a sketch draws it three times, never quite the same."""
        times, shake = (3, 0.025) if self.style == "sketch" else (1, 0.0)
        thick = width * self.stroke / times**0.5
        for _ in range(times):
            dx, dy = self.rng.gauss(0, shake), self.rng.gauss(0, shake)
            placed = self.at((x + dx, y + dy) for x, y in points)
            self.draw.line(placed, colour, round(thick), "curve")
            for end in (placed[0], placed[-1]):
                self.draw.circle(end, thick / 2, colour)

    def area(self, points: Shape, fill: Colour, edge: Colour | None = None) -> None:
        """Fill a shape, and draw its edge if it has one."""
        self.draw.polygon(self.at(points), fill)
        if edge is not None:
            self.line([*points, points[0]], edge, 0.8)

    def pair(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """Fill an oval on either side of the face."""
        for side in (-1, 1):
            self.area(_oval(side * x, y, rx, ry), fill, self.edge)

    def scene(self) -> None:
        """Draw a background with clutter, among it smiles and frowns that belong to nobody."""
        rng, side = self.rng, self.image.width
        self.image.paste(_tint(rng, rng.random()), None, _ramp(rng, side, 0, rng.randint(0, 200)))
        for _ in range(rng.choice((0, 0, 1, 2, 3, 5))):
            angle, far, r = rng.uniform(0, math.tau), rng.uniform(1.2, 1.7), rng.uniform(0.12, 0.35)
            x, y, colour = far * math.cos(angle), far * math.sin(angle), _tint(rng, rng.random())
            bend = rng.choice((-1, 1)) * rng.uniform(0.4, 0.9) * r
            if rng.random() < 0.6:
                self.line(_bow(x, y, r, bend), colour)
            else:
                self.area(_oval(x, y, r, abs(bend), rng.choice((1, 2, 5))), colour)

    def head(self) -> None:
        """Draw the hair behind, ears, the head itself, cheeks, and a hat or a fringe."""
        rng, edge, hat = self.rng, self.edge, self.rng.randrange(7)
        hair, ears = rng.choice(("", "", "mane", "bob", "buns")), rng.choice(("", "round", "cat"))
        if hair in ("mane", "bob"):
            self.area(_oval(0, -0.05, 1.2, 1.15, 2 if hair == "mane" else 4), self.hair, edge)
        elif hair == "buns":
            self.pair(0.75, -0.85, 0.34, 0.34, self.hair)
        if ears == "round":
            self.pair(0.98, 0.02, 0.18, 0.24, self.skin)
        elif ears == "cat":
            for x in (-0.9, 0.9):
                self.area([(x, -1.25), (x / 3, -0.85), (x, -0.3)], self.skin, edge)
        self.shape = _oval(0, 0, 1, 1, rng.uniform(1.9, 3.2), rng.uniform(-0.12, 0.12))
        self.area(self.shape, self.skin, edge)
        if rng.random() < 0.25:
            self.pair(0.68, 0.1, 0.14, 0.1, self.hair)
        if hat < len(_HATS):
            self.area(_HATS[hat], self.cloth, edge)
        elif hat == len(_HATS):
            self.area([(x, y) for x, y in self.shape if y < -0.5], self.hair)

    def eyes(self) -> None:
        """Draw eyes, glasses, a nose, and brows: those of the sad lean inwards a little more often."""
        rng, ink = self.rng, self.ink
        kind = rng.choice(("dot", "dot", "white", "white", "closed"))
        glasses = rng.choice(("", "", "", "", "round", "round", "square", "dark"))
        gap, y, r = rng.uniform(0.32, 0.46), rng.uniform(-0.3, -0.14), rng.uniform(0.1, 0.18)
        tall, bend = rng.uniform(0.9, 1.5) * r, rng.choice((-1, 0, 1)) * r
        look, wink = rng.uniform(-0.4, 0.4) * r, rng.choice((-1, 1, *[0] * 20))
        brows, bow, lift = rng.random() < 0.65, rng.uniform(-0.05, 0.1), rng.uniform(0.18, 0.28)
        lean = rng.gauss(0.05 * self.mood - 0.01, 0.06)
        for side in (-1, 1):
            x = side * gap + self.turn
            if kind == "closed" or side == wink:
                self.line(_bow(x, y, r * 1.1, bend), ink)
            elif kind == "dot":
                self.area(_oval(x, y, r * 0.8, tall * 0.8), ink)
            else:
                self.area(_oval(x, y, r * 1.25, tall * 1.1), _WHITE, ink)
                self.area(_oval(x + look, y + abs(look) - 0.2 * r, r * 0.6, r * 0.6), (15, 15, 15))
            if brows:
                ends = _bow(x, y - tall - lift, 0.2, -bow)
                self.line([(px, py - side * lean * (px - x) / 0.2) for px, py in ends], ink)
            if glasses:
                lens = _oval(x, y, -0.3 * side, 0.27, 2 if glasses == "round" else 4)
                if glasses == "dark":
                    self.area(lens, ink)
                self.line([(self.turn, y), *lens, lens[0]], ink, 0.7)
        nose, x = rng.choice(("", "dot", "round", "line")), self.turn * 1.4
        if nose == "line":
            self.line([(x, -0.15), (x + bend / 2, 0.1), (x, 0.12)], ink, 0.8)
        elif nose:
            self.area(_oval(x, 0.08, 0.1, 0.08), ink if nose == "dot" else self.lips)

    def beard(self) -> None:
        """Draw a beard that leaves the mouth free, or a small moustache above it."""
        kind = self.rng.choice(("full", "moustache", *[""] * 7))
        if kind == "full":
            self.area([(x, y) for x, y in self.shape if y > 0.1], self.hair)
            self.area(_oval(self.turn, self.low, 0.72, 0.38, 3), self.skin)
        elif kind == "moustache":
            self.area(_oval(self.turn, self.low - 0.28, 0.28, 0.06), self.hair)

    def mouth(self) -> None:
        """Draw the mouth: its ends up if happy, down if sad, its middle at the same height."""
        rng, ink, mid, low = self.rng, self.ink, self.turn, self.low
        kind = rng.choices(("line", "open", "teeth", "lips"), (6, 5, 2, 3))[0]
        half, depth = rng.uniform(0.46, 0.64), self.mood * rng.uniform(0.34, 0.46)
        tilt, skew, teeth = rng.gauss(0, 0.04), rng.uniform(-0.3, 0.3), rng.random() < 0.6

        def lip(share: float) -> Shape:
            """Return a curve from corner to corner, bent by `share` of the depth; one end lags."""
            bent = ((x / half, y) for x, y in _bow(0, 0, half, depth, share))
            return [(mid + half * t, low + y * (1 + skew * t) + tilt * t) for t, y in bent]

        if kind == "open":
            self.area(lip(0.15) + lip(1.3)[::-1], ink, ink)
            if teeth:
                self.area(lip(0.2) + lip(0.5)[::-1], _WHITE)
            self.area(lip(1) + lip(1.25)[::-1], self.lips)
        elif kind == "teeth":
            self.area(lip(0.6) + lip(1.45)[::-1], _WHITE, ink)
            for gum, tip in list(zip(lip(0.6), lip(1.45), strict=True))[3:-3:2]:
                self.line([gum, tip], ink, 0.3)
        elif kind == "lips":
            self.area(lip(0.6) + lip(1.4)[::-1], self.lips)
        if kind in ("line", "lips"):
            self.line(lip(1), ink, rng.uniform(1.2, 1.7))

    def hide(self) -> None:
        """Lay a hand, a bar or a blob over some faces, over no more than one end of the mouth."""
        rng, wide = self.rng, self.rng.uniform(0.12, 0.3)
        kind, angle = rng.choice(("hand", "bar", "blob", *[""] * 9)), rng.uniform(0, math.tau)
        c, s, far = math.cos(angle), math.sin(angle), wide + rng.uniform(0.4, 0.8)
        colour = _tint(rng, rng.uniform(0.1, 0.9))

        def off(away: float, along: float) -> Point:
            return self.turn + c * away - s * along, self.low + s * away + c * along

        if kind == "bar":
            self.line([off(far, -4), off(far, 4)], colour, 3.5)
        elif kind == "blob":
            self.area(_oval(*off(far, 0), wide, wide), colour, self.ink)
        elif kind == "hand":
            for finger in (-1.5, -0.5, 0.5, 1.5):
                self.line([off(far - 0.03 / finger**2, 0.2 * finger), off(4, finger)], colour, 2)


def _tint(rng: Random, luma: float) -> Colour:
    """Return a colour of any hue whose brightness (ITU-R BT.601 luma, 0 to 1) is `luma`."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.9), 1)
    full = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    fade = (1 - luma) / (1 - full) if luma > full else 1.0
    red, green, blue = ((1 - (1 - v) * fade) * min(luma / full, 1) * 255 for v in rgb)
    return round(red), round(green), round(blue)


def _oval(x: float, y: float, rx: float, ry: float, power: float = 2, chin: float = 0) -> Shape:
    """Return a superellipse: `power` 2 is an ellipse, 4 nearly a box; wider below by `chin`."""
    turns = ((math.cos(k * math.tau / 32), math.sin(k * math.tau / 32)) for k in range(32))
    bent = ((math.copysign(abs(v) ** (2 / power), v) for v in turn) for turn in turns)
    return [(x + rx * c * (1 + chin * s), y + ry * s) for c, s in bent]


def _bow(x: float, y: float, half: float, depth: float, share: float = 1) -> Shape:
    """Return a parabola about (x, y), ends up if `depth` > 0; `share` bends it between its ends."""
    steps = [k / 7 for k in range(-7, 8)]
    return [(x + half * t, y + depth * (share * (1 - t * t) - 2 / 3)) for t in steps]


def _ramp(rng: Random, side: int, low: int, high: int) -> Image.Image:
    """Return a gray gradient in any direction, (side, side)."""
    ramp = Image.linear_gradient("L").rotate(rng.uniform(0, 360)).crop((38, 38, 218, 218))
    ramp = ramp.resize((side, side), Image.Resampling.BILINEAR)
    return ramp.point(lambda v: low + (high - low) * v / 255)


def _photograph(image: Image.Image, rng: Random) -> Image.Image:
    """Return the drawing as a camera might see it: light, blur, brightness, contrast, noise."""
    light = _ramp(rng, image.width, rng.randint(120, 255), 255).convert("RGB")
    blur = ImageFilter.GaussianBlur(max(0, rng.uniform(-0.6, 0.8)))
    image = ImageChops.multiply(image, light).filter(blur)
    contrast = rng.uniform(0.75, 1.15) * rng.choice((-1, *[1] * 19))  # Below 0: a photo negative.
    shift, noise = rng.uniform(-25, 25), rng.uniform(0, 0.16)
    image = image.point(lambda v: 127 + (v - 127) * contrast + shift)
    grain = Image.frombytes("RGB", image.size, rng.randbytes(3 * image.width * image.height))
    return ImageChops.add(image, grain.point(lambda v: 128 + (v - 127.5) * noise), 1, -128)
