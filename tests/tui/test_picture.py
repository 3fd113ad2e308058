"""Pictures keep their shape and their colours, at any size, in any terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.color import Color
from textual.app import App, ComposeResult

from core.engine import Heat, Picture
from tui.widgets.picture import FAINT, PictureView, faded, fitted, resampled

RED, GREEN, BLUE, WHITE, BLACK = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)


def picture(rows: list[list[tuple[int, int, int]]]) -> Picture:
    height, width = len(rows), len(rows[0])
    rgb = bytes(channel for row in rows for pixel in row for channel in pixel)
    return Picture(
        width=width, height=height, rgb=rgb, original_width=width, original_height=height
    )


def plain(width: int, height: int, colour: tuple[int, int, int] = RED) -> Picture:
    return picture([[colour] * width for _ in range(height)])


class Gallery(App[None]):
    """One picture."""

    def __init__(self, shown: Picture | None, ascii_only: bool = False) -> None:
        super().__init__()
        self.view = PictureView(shown)
        self.ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        yield self.view


def lines(view: PictureView) -> list[str]:
    return [view.render_line(y).text for y in range(view.size.height)]


def cells(view: PictureView) -> list[tuple[int, int, Color | None, Color | None]]:
    """Return where half blocks are, with the colours of their halves."""
    found = []
    for y in range(view.size.height):
        x = 0
        for segment in view.render_line(y):
            for char in segment.text:
                if char == "▀" and segment.style is not None:
                    found.append((x, y, segment.style.color, segment.style.bgcolor))
                x += 1
    return found


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((48, 48), (48, 48), (48, 48)),
        ((48, 48), (100, 20), (20, 20)),
        ((100, 50), (40, 40), (40, 20)),
        ((50, 100), (40, 40), (20, 40)),
        ((1, 1000), (40, 40), (1, 40)),
        ((1000, 1), (40, 40), (40, 1)),
        ((3, 3), (1, 1), (1, 1)),
    ],
)
def test_the_shape_is_kept(
    size: tuple[int, int], room: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitted(plain(*size), *room) == expected


def test_shrinking_is_a_mean_and_growing_a_copy() -> None:
    quarters = picture([[RED, GREEN], [BLUE, WHITE]])
    assert resampled(quarters, 1, 1).pixels == [(127, 127, 127)]
    assert resampled(quarters, 2, 2).pixels == [RED, GREEN, BLUE, WHITE]
    assert resampled(quarters, 4, 2).pixels == [RED, RED, GREEN, GREEN, BLUE, BLUE, WHITE, WHITE]


async def test_a_cell_shows_two_pixels_in_the_middle() -> None:
    app = Gallery(picture([[RED, GREEN], [BLUE, WHITE]]))
    async with app.run_test(size=(6, 1)):
        assert cells(app.view) == [
            (2, 0, Color.from_rgb(*RED), Color.from_rgb(*BLUE)),
            (3, 0, Color.from_rgb(*GREEN), Color.from_rgb(*WHITE)),
        ]


async def test_it_is_centred_and_as_large_as_it_fits() -> None:
    app = Gallery(plain(48, 48))
    async with app.run_test(size=(80, 24)) as pilot:
        found = cells(app.view)
        assert len(found) == 48 * 24
        assert min(x for x, *_ in found) == 16
        await pilot.resize_terminal(20, 30)
        await pilot.pause()
        found = cells(app.view)
        assert len(found) == 20 * 10
        assert min(y for _, y, *_ in found) == 10


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (7, 3), (80, 24), (200, 60)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (48, 48), (1, 500), (500, 1), (5, 3)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_it_fits_at_any_size(
    size: tuple[int, int], shape: tuple[int, int], ascii_only: bool
) -> None:
    app = Gallery(plain(*shape, WHITE), ascii_only)
    async with app.run_test(size=size):
        rows = lines(app.view)
        assert {len(row) for row in rows} == {size[0]}
        assert any(row.strip() for row in rows)
        assert all(row.isascii() for row in rows) is ascii_only


async def test_shades_stand_for_brightness() -> None:
    ramp = picture([[(v, v, v) for v in range(0, 256, 28)]] * 2)
    app = Gallery(ramp, ascii_only=True)
    async with app.run_test(size=(10, 1)) as pilot:
        assert lines(app.view) == [" .:-=+*#%@"]
        app.theme = "textual-light"
        app.view.show(ramp)
        await pilot.pause()
        assert lines(app.view) == ["@%#*+=-:. "]


async def test_no_color_gets_shades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Gallery(plain(4, 4, WHITE))
    async with app.run_test(size=(4, 2)):
        assert lines(app.view) == ["@@@@", "@@@@"]


async def test_another_picture_replaces_it_and_none_empties_it() -> None:
    app = Gallery(plain(4, 4))
    async with app.run_test(size=(4, 2)) as pilot:
        app.view.show(plain(4, 4, BLUE))
        await pilot.pause()
        assert {upper for *_, upper, _ in cells(app.view)} == {Color.from_rgb(*BLUE)}
        app.view.show(None)
        await pilot.pause()
        assert cells(app.view) == []


@pytest.mark.parametrize("rgb", [b"", b"\0" * 11, b"\0" * 13])
async def test_a_picture_without_its_bytes_is_not_shown(rgb: bytes) -> None:
    broken = Picture(width=2, height=2, rgb=rgb, original_width=2, original_height=2)
    app = Gallery(broken)
    async with app.run_test(size=(10, 5)):
        assert not any(line.strip() for line in lines(app.view))
    nothing = Picture(width=0, height=0, rgb=b"", original_width=0, original_height=0)
    app.view.show(nothing)


def test_it_needs_no_imaging_library() -> None:
    code = "import sys, tui.widgets.picture; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "textual" in loaded.split()
    assert not {"PIL", "numpy", "torch"} & set(loaded.split())


@pytest.mark.parametrize("ground", [BLACK, WHITE])
def test_what_an_answer_does_not_come_from_fades(ground: tuple[int, int, int]) -> None:
    # Twice as wide as high: the model has seen the middle half.
    shown = plain(40, 20)
    heat = Heat(cells=tuple((4.0, 4.0, 0.0, -4.0) for _ in range(4)), lowest=0.5)
    grid = faded(resampled(shown, 40, 20), shown, heat, ground)
    first, *others = (grid.pixels[y * 40 : y * 40 + 40] for y in range(20))
    assert all(row == first for row in others)
    faint = tuple(round(b + FAINT * (r - b)) for r, b in zip(RED, ground, strict=True))
    assert first[:10] == [faint] * 10 and first[30:] == [faint] * 10
    assert first[10:15] == [RED] * 5 and first[25:30] == [faint] * 5
    # Red falls from one cell to the next, or what is not red rises.
    between = [abs(pixel[0] - pixel[1]) for pixel in first[15:25]]
    assert between == sorted(between, reverse=True)


def test_a_map_that_shows_nothing_leaves_all_faint() -> None:
    heat = Heat(cells=((0.0, 0.0), (-1.0, 0.0)), lowest=0.5)
    grid = faded(resampled(plain(4, 4), 4, 4), plain(4, 4), heat, BLACK)
    assert set(grid.pixels) == {(round(FAINT * 255), 0, 0)}


def test_what_the_model_does_not_see_is_faint_also_at_the_border() -> None:
    heat = Heat(cells=((1.0, 1.0), (1.0, 1.0)), lowest=0.5, view=0.5)
    grid = faded(resampled(plain(20, 20), 20, 20), plain(20, 20), heat, BLACK)
    clear = {i for i, pixel in enumerate(grid.pixels) if pixel == RED}
    assert clear == {20 * y + x for y in range(5, 15) for x in range(5, 15)}
