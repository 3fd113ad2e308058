"""Charts show what is there, hide nothing, and survive whatever they are given."""

from __future__ import annotations

import inspect
import math
import random
import re
import threading
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot
from textual_plotext import PlotextPlot
from textual_plotext.plot import Plot

from tui.at_once import paint
from tui.widgets import chart as chart_module
from tui.widgets.chart import Chart, Series
from tui.widgets.glyphs import ASCII, FINE, Row, line_glyph, line_role
from tui.widgets.scales import finite_points, joined, thin, x_axis, y_axis
from tui.widgets.sketch import Artist, Cursor, Sketch, draw

NAN, INF = math.nan, math.inf
CURVE = [2 * math.exp(-x / 10) + 0.1 for x in range(40)]
EPOCHS = list(range(40))
NASTY: dict[str, list[Series]] = {
    "no series": [],
    "no points": [Series("train", [], [])],
    "all NaN": [Series("train", [0, 1, 2], [NAN] * 3)],
    "leading NaN": [Series("train", [0, 1, 2], [NAN, 1, 2])],
    "one point": [Series("train", [3], [0.5])],
    "equal values": [Series("train", [0, 1, 2], [0.7] * 3)],
    "equal xs": [Series("train", [1, 1, 1], [0, 1, 2])],
    "infinite": [Series("train", [0, 1, 2, 3], [INF, 1, -INF, 2])],
    "infinite xs": [Series("train", [0, INF, NAN, 3], [1, 2, 3, 4])],
    "huge": [Series("train", [0, 1, 2], [1e308, -1e308, 1.79e308])],
    "tiny": [Series("train", [0, 1e-320], [5e-324, -5e-324])],
    "close": [Series("train", [0, 1], [1e17, 1e17 + 16])],
    "zero and negative": [Series("train", [0, 1, 2, 3], [0, -1, 10, 100])],
    "different lengths": [Series("train", [0, 1], [1, 2, 3])],
    "controls": [Series("\x1b[31m\x07\n\u202e", [0, 1], [1, 2])],
    "markup": [Series("[red]a[/]b[/]", [0, 1], [1, 2])],
    "wide": [Series("表情の名前がとても長い場合はどうなるのか", [0, 1], [1, 2])],
    "every style": [
        Series("raw", EPOCHS, [y * 1.1 for y in CURVE], "faint"),
        *(Series(f"line {i}", EPOCHS, [y + i for y in CURVE]) for i in range(7)),
        Series("best", [30], [CURVE[30]], "mark"),
    ],
    "mark without value": [Series("best", [3], [NAN], "mark"), Series("train", [0, 1], [1, 2])],
}


def drawn(series: Sequence[Series], width: int = 60, height: int = 15, **options: Any) -> list[str]:
    """Return the chart's lines, cut to its size."""
    options = {"title": "loss", "x_label": "epoch", **options}
    sketch = Sketch(series=tuple(series), width=width, height=height, **options)
    return [text(row) for row in draw(sketch, Artist(Plot()))]


def text(row: Row) -> str:
    return "".join(part for part, _ in row)


def canvas(lines: list[str]) -> list[str]:
    """Return what is inside the axes."""
    left = re.search(r"[└+]", lines[-2])
    assert left is not None
    return [line[left.end() :] for line in lines[1:-2]]


class Charts(App[None]):
    """Some charts side by side."""

    CSS = "Screen { layout: horizontal; } .gone { display: none; }"

    def __init__(self, *charts: Chart, ascii_only: bool = False) -> None:
        super().__init__()
        self.charts = charts
        self.ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        yield from self.charts


async def settle(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def shown(chart: Chart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("percent", [False, True])
def test_nothing_makes_it_fail_or_overflow_at_any_size(name: str, log: bool, percent: bool) -> None:
    artist = Artist(Plot())
    sizes = [(w, h) for w in (1, 2, 3, 7, 23, 24, 36, 80) for h in (1, 2, 3, 5, 6, 9, 24)]
    for width, height in sizes:
        for limit, plain in ((None, False), (100, False), (NAN, True), (1e308, True)):
            sketch = Sketch(
                title="loss \x1b]0;x\x07",
                series=tuple(NASTY[name]),
                x_label="epoch\n",
                x_limit=limit,
                log=log,
                percent=percent,
                ascii_only=plain,
                width=width,
                height=height,
            )
            rows = draw(sketch, artist)
            assert len(rows) == height
            for row in rows:
                assert cell_len(text(row)) <= width
                assert text(row).isprintable()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_nothing_makes_the_app_fail_in_any_theme(theme: str) -> None:
    charts = Chart("loss"), Chart("accuracy", percent=True)
    app = Charts(*charts)
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = theme
        charts[0].log_scale = True
        for size in ((80, 24), (1, 1), (40, 5), (120, 40)):
            await pilot.resize_terminal(*size)
            for name, series in NASTY.items():
                for chart in charts:
                    chart.show(series, x_limit=50)
                await settle(pilot)
                for chart in charts:
                    assert all(line.isprintable() for line in shown(chart)), name
        assert "loss" in shown(charts[0])[0]


def test_a_line_does_not_hide_another_in_the_same_cells() -> None:
    low = Series("low", EPOCHS, [0.51] * 40)
    near = Series("near", EPOCHS, [0.54] * 40)
    frame = Series("", [0, 39], [0, 1], "faint")
    together = "".join(canvas(drawn([frame, near, low])))
    # A flat line takes one row of dots, both together two: `⠤` is one, `⠶` is two.
    assert max(dots(character) for character in "".join(canvas(drawn([frame, low])))) == 2
    assert sum(dots(character) == 4 for character in together) > 30


def dots(character: str) -> int:
    return (ord(character) - 0x2800).bit_count() if "\u2800" <= character <= "\u28ff" else 0


def test_a_gap_is_not_bridged() -> None:
    ys = [1.0] * 10 + [NAN] * 20 + [1.0] * 10
    lines = canvas(drawn([Series("train", EPOCHS, ys)], x_limit=39))
    dots = "".join(
        "x" if any(line[i : i + 1].strip() for line in lines) else " " for i in range(56)
    )
    assert re.fullmatch(r"x{10,} {20,}x{10,} *", dots)
    whole = canvas(drawn([Series("train", EPOCHS, [1.0] * 40)], x_limit=39))
    assert not re.search(r"\S {20,}\S", "\n".join(whole))


def test_values_whose_difference_is_infinite_keep_their_places() -> None:
    axis = y_axis([-1.7e308, 1.7e308], 20)
    assert [axis.fraction(y) for y in (-1.7e308, 0.0, 1.7e308)] == [0, 0.5, 1]
    lines = canvas(drawn([Series("train", [0, 1, 2], [-1.7e308, 0, 1.7e308])]))
    assert all(line.strip() for line in lines)


def test_infinity_is_a_gap_too() -> None:
    points = finite_points(range(5), [1, INF, 1, -INF, 1])
    assert [len(run) for run in joined(points)] == [1, 1, 1]


def test_a_point_between_gaps_is_visible() -> None:
    lines = canvas(drawn([Series("train", [0, 5, 9], [NAN, 2, NAN])]))
    assert sum("•" in line for line in lines) == 1


def test_log_scale_leaves_out_what_has_no_logarithm() -> None:
    points = finite_points(range(4), [0, -1, 10, 100], log=True)
    assert [p.y for p in points] == [1, 2]
    lines = drawn([Series("train", range(4), [0, -1, 0, 0])], log=True)
    assert any("nothing above 0" in line for line in lines)


def test_log_scale_has_ticks_at_powers_of_ten() -> None:
    lines = drawn([Series("train", range(6), [1e-3, 1e-2, 0.1, 1, 10, 100])], log=True, height=20)
    ticks = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert ticks == ["100", "10", "1", "0.1", "0.01", "0.001"]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_mark_is_on_top_of_everything(ascii_only: bool) -> None:
    glyph = ASCII.mark if ascii_only else FINE.mark
    lines = [Series(f"s{i}", EPOCHS, CURVE) for i in range(5)]
    lines.append(Series("one point", [20], [CURVE[20]]))
    marked = [
        Series("best", [20], [CURVE[20]], "mark"),
        *lines,
        Series("raw", EPOCHS, CURVE, "faint"),
    ]
    assert sum(line.count(glyph) for line in canvas(drawn(marked, ascii_only=ascii_only))) == 1
    assert not any(glyph in line for line in canvas(drawn(lines, ascii_only=ascii_only)))


def test_thinning_keeps_the_lowest_and_the_highest() -> None:
    ys = [0.5] * 100_000
    ys[31_337], ys[77_777] = 9.0, -9.0
    points = finite_points(range(100_000), ys)
    axis = x_axis([0, 99_999], None, 60)
    kept = thin(points, axis, 60)
    assert len(kept) <= 120
    assert {9.0, -9.0} <= {p.y for p in kept}
    assert [p.x for p in kept] == sorted(p.x for p in kept)
    few = points[:120]
    assert thin(few, axis, 60) is few


def test_thinning_keeps_a_gap() -> None:
    ys = [1.0] * 4000 + [NAN] * 2000 + [1.0] * 4000
    points = thin(finite_points(range(10_000), ys), x_axis([0, 9999], None, 50), 50)
    assert len(joined(points)) == 2


def test_the_legend_is_readable_on_36_by_9() -> None:
    series = [
        Series("", EPOCHS, CURVE, "faint"),
        Series("train", EPOCHS, CURVE),
        Series("validation", EPOCHS, CURVE),
        Series("best", [9], [1], "mark"),
    ]
    lines = drawn(series, width=36, height=9)
    assert lines[0].split() == ["loss", "━", "train", "●", "validation", "★", "best"]
    assert len(canvas(lines)) == 6


def test_lines_differ_without_colour() -> None:
    for glyphs in (FINE, ASCII):
        assert len({*glyphs.lines, glyphs.mark, glyphs.faint}) == len(glyphs.lines) + 2
    series = [Series(f"s{i}", EPOCHS, [y + i for y in CURVE]) for i in range(4)]
    body = "".join(canvas(drawn(series, width=80, height=24)))
    assert set("●▲■") <= set(body)


def test_ten_lines_differ_by_their_glyphs_and_fifty_with_their_colours() -> None:
    for glyphs in (FINE, ASCII):
        assert len({line_glyph(place, glyphs) for place in range(10)}) == 10
        assert len({(line_glyph(p, glyphs), line_role(p)) for p in range(50)}) == 50
    series = [Series(f"s{i}", EPOCHS, [y + i for y in CURVE]) for i in range(10)]
    body = "".join(canvas(drawn(series, width=100, height=40)))
    assert set("●▲■◆○△□◇▼") <= set(body)


@pytest.mark.parametrize("limit", [None, 1, 3, 7, 10, 37, 100, 1234, 90_000])
def test_x_ticks_are_whole_numbers_and_do_not_touch(limit: float | None) -> None:
    lines = drawn([Series("train", [x / 7 for x in EPOCHS], CURVE)], x_limit=limit)
    labels = lines[-1].split()
    assert labels
    assert all(re.fullmatch(r"[\d,]+", label) for label in labels)
    numbers = [int(label.replace(",", "")) for label in labels]
    assert len({b - a for a, b in pairwise(numbers)}) <= 1
    assert "epoch" in lines[-2]


def test_the_x_axis_reaches_to_its_limit() -> None:
    short = canvas(drawn([Series("train", [0, 10], [1, 2])], x_limit=100))[:-1]
    assert max(len(line.rstrip()) for line in short) < 12
    beyond = x_axis([0, 120], 100, 60)
    assert beyond.high == 120


def test_percent_ticks_are_percent_and_stay_within_100() -> None:
    lines = drawn([Series("train", EPOCHS, [1 - y / 2.2 for y in CURVE])], percent=True)
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert len(labels) >= 3
    assert all(re.fullmatch(r"\d+ %", label) for label in labels)
    assert "100 %" in labels
    assert y_axis([0.2, 1.0], 12, percent=True).high == 1.0


def test_neighbouring_labels_differ() -> None:
    for low, high in ((0.1, 0.1001), (1e5, 1e5 + 2), (-3, 3), (0, 1e9), (1e-12, 3e-12)):
        for rows in range(3, 40):
            labels = [label for _, label in y_axis([low, high], rows).ticks]
            assert len(labels) == len(set(labels)) >= 1


async def test_colours_follow_the_theme_and_are_never_the_background() -> None:
    chart = Chart("loss")
    app = Charts(chart)
    async with app.run_test(size=(60, 20)) as pilot:
        chart.show(NASTY["every style"])
        await settle(pilot)
        seen = set()
        for theme in app.available_themes:
            app.theme = theme
            await pilot.pause()
            colours = set()
            for y in range(chart.size.height):
                for segment in chart.render_line(y):
                    if segment.text.strip():
                        assert segment.style is not None
                        colour = segment.style.color
                        assert colour is not None
                        assert colour.is_default or colour != segment.style.bgcolor, theme
                        colours.add(colour)
            assert len(colours) >= 4, theme
            seen.add(frozenset(colours))
        assert len(seen) > len(app.available_themes) // 2


async def test_a_theme_switch_and_a_resize_while_it_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(sketch: Sketch, artist: Artist) -> list[Row]:
        begun.set()
        assert go_on.wait(10)
        return draw(sketch, artist)

    chart = Chart("loss")
    app = Charts(chart)
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(chart_module, "draw", slow)
        chart.show([Series("train", EPOCHS, CURVE)])
        while not begun.is_set():
            await pilot.pause()
        app.theme = "textual-light"
        await pilot.resize_terminal(90, 30)
        chart.show([Series("newest", EPOCHS, CURVE)])
        go_on.set()
        await settle(pilot)
        lines = shown(chart)
        assert "newest" in lines[0]
        assert len(lines) == 30
        assert all(len(line) <= 90 for line in lines)
        assert max(len(line.rstrip()) for line in lines) > 80


async def test_only_changed_lines_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart("loss")
    async with Charts(chart).run_test(size=(60, 20)) as pilot:
        chart.show([Series("train", EPOCHS[:34], CURVE[:34])], x_limit=40)
        await settle(pilot)
        painted: list[Region] = []
        refresh = Chart.refresh

        def spy(self: Chart, *regions: Region, **options: Any) -> Chart:
            painted.extend(regions or [self.size.region])
            return refresh(self, *regions, **options)

        def at_once(widget: Chart, lines: Sequence[int]) -> bool:
            painted.extend(Region(0, y, widget.size.width, 1) for y in lines)
            return paint(widget, lines)

        monkeypatch.setattr(Chart, "refresh", spy)
        monkeypatch.setattr(chart_module, "paint", at_once)
        chart.show([Series("train", EPOCHS[:34], CURVE[:34])], x_limit=40)
        await settle(pilot)
        assert painted == []
        chart.show([Series("train", EPOCHS[:36], CURVE[:36])], x_limit=40)
        await settle(pilot)
        assert 1 <= sum(region.height for region in painted) <= 4
        assert "train" in pilot.app.export_screenshot()


async def test_one_thread_draws_all_charts_and_never_the_screens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = set()

    def spy(sketch: Sketch, artist: Artist) -> list[Row]:
        threads.add(threading.current_thread().name)
        return draw(sketch, artist)

    monkeypatch.setattr(chart_module, "draw", spy)
    charts = [Chart(f"chart {i}") for i in range(4)]
    async with Charts(*charts).run_test(size=(120, 20)) as pilot:
        for chart in charts:
            chart.show(NASTY["every style"])
        await settle(pilot)
        assert all("chart" in shown(chart)[0] for chart in charts)
    assert len(threads) == 1
    assert threads.pop().startswith("chart")


async def test_what_nobody_sees_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_sizes = []

    def spy(sketch: Sketch, artist: Artist) -> list[Row]:
        drawn_sizes.append((sketch.width, sketch.height))
        return draw(sketch, artist)

    monkeypatch.setattr(chart_module, "draw", spy)
    chart = Chart("loss", classes="gone")
    chart.show([Series("before it is there", EPOCHS, CURVE)])
    async with Charts(chart).run_test(size=(60, 20)) as pilot:
        chart.show([Series("train", EPOCHS, CURVE)])
        await settle(pilot)
        assert drawn_sizes == []
        chart.remove_class("gone")
        await settle(pilot)
        assert (60, 20) in drawn_sizes
        assert "train" in shown(chart)[0]
        drawn_sizes.clear()
        chart.add_class("gone")
        await settle(pilot)
        chart.show([Series("hidden", EPOCHS, CURVE)])
        await settle(pilot)
        assert drawn_sizes == []


async def test_the_app_can_ask_for_plain_characters() -> None:
    chart = Chart("loss")
    async with Charts(chart, ascii_only=True).run_test(size=(60, 20)) as pilot:
        chart.show([Series("train", EPOCHS, CURVE)])
        await settle(pilot)
        assert all(line.isascii() for line in shown(chart))
        assert any("+" in line for line in shown(chart))


async def test_log_scale_can_be_switched() -> None:
    chart = Chart("loss")
    async with Charts(chart).run_test(size=(60, 20)) as pilot:
        chart.show([Series("train", EPOCHS, CURVE)])
        await settle(pilot)
        before = shown(chart)
        chart.log_scale = True
        await settle(pilot)
        assert shown(chart) != before
        chart.log_scale = False
        await settle(pilot)
        assert shown(chart) == before


@pytest.mark.parametrize("seed", range(5))
def test_what_is_at_hand_is_what_would_be_drawn_anew(seed: int) -> None:
    """A curve grows, a crosshair moves, the scale and the part that is looked at change there and back."""
    chance = random.Random(seed)
    artist, drawn = Artist(Plot()), 0
    ys = [chance.choice([chance.random(), 0.0, 5.0]) for _ in range(300)]
    series: tuple[Series, ...] = ()
    for turn in range(60):
        if turn % 10 == 0:
            xs = [float(x) for x in range(10 + 4 * turn)]
            series = (Series("steps", xs, ys, "faint"), Series("train", xs, ys))
        x = chance.choice([None, chance.uniform(-5, 60)])
        sketch = Sketch(
            title="loss",
            series=series,
            x_range=chance.choice([None, (2.0, 9.0)]),
            cursor=None if x is None else Cursor(x, f"at {x:.3f}"),
            log=chance.random() < 0.3,
            width=60,
            height=chance.choice([12, 5]),
        )
        anew = Artist(Plot()).draw(sketch)
        quick = artist.at_hand(sketch)
        drawn += quick is None
        assert (artist.draw(sketch) if quick is None else quick) == anew
    assert drawn < 55


async def test_a_crosshair_over_a_finished_picture_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chart = Chart("loss")
    curves = [Series("train", EPOCHS, CURVE)]
    async with Charts(chart).run_test(size=(60, 20)) as pilot:

        def make() -> Sequence[Series]:
            return curves

        for x in (3.0, 4.0):
            chart.show(make, cursor=Cursor(x, f"epoch {x}"))
            await settle(pilot)
        monkeypatch.delattr(chart_module, "draw")
        chart.show(make, cursor=Cursor(9.0, "epoch nine"))
        assert "epoch nine" in "".join(shown(chart))


def test_upstream_is_what_the_chart_builds_on() -> None:
    """When this fails, look at `tui/widgets/ink.py: _prepare` and `chart.py` again."""
    assert version("textual-plotext") == "1.0.1"
    assert version("plotext").startswith("5.3.")
    plot = Plot()
    assert list(inspect.signature(plot._set_size).parameters) == ["width", "height"]
    plot._set_size(500, 3)
    plot.frame(False)
    plot.xticks([])
    plot.yticks([])
    plot.clear_color()
    plot.plot([0, 1], [0, 1], marker="braille", color=7)
    lines = plot.build().split("\n")
    assert [len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines] == [500, 500, 500, 0]
    assert set(re.findall(r"\x1b\[[0-9;]*m", lines[0])) == {"\x1b[38;5;7m", "\x1b[0m"}
    assert isinstance(PlotextPlot().plt, Plot)
