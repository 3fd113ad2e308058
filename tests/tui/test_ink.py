"""A line looks as plotext would draw it, however it was painted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from textual_plotext.plot import Plot

from tui.widgets import ink as module
from tui.widgets.glyphs import ROLES, Role
from tui.widgets.ink import Ink, Painter, _letters, _prepare

Run = list[tuple[float, float]]
Shown = list[list[tuple[str, Role]]]
LINES: tuple[Role, ...] = ("line-0", "line-1", "line-2")


def a_run(draw: random.Random, low: float = 0.0) -> Run:
    xs = sorted(draw.uniform(low, 1) for _ in range(draw.choice([1, 2, 5, 40])))
    return [(x, draw.choice([draw.random(), 0.0, 0.5, 1.0])) for x in xs]


def by_plotext(signals: Sequence[tuple[Run, str, Role]], width: int, height: int) -> Shown:
    """Return what plotext itself makes of lines of dots and of single letters."""
    plot = Plot()
    _prepare(plot, width, height)
    for run, marker, role in signals:
        xs, ys = [x for x, _ in run], [y for _, y in run]
        if marker == "braille":
            plot.plot(xs, ys, marker=marker, color=ROLES.index(role))
        else:
            xs = [int(x * (width * 2 - 1) + 0.5) // 2 / max(width - 1, 1) for x in xs]
            ys = [int(y * (height * 4 - 1) + 0.5) // 4 / max(height - 1, 1) for y in ys]
            plot.scatter(xs, ys, marker=marker, color=ROLES.index(role))
    return [list(_letters(line)) for line in plot.build().split("\n")[:height]]


def painted(painter: Painter, ink: Ink, width: int, height: int) -> Shown:
    rows = painter.rows(ink.cells, width, height)
    return [[(letter, role) for text, role in row for letter in text] for row in rows]


@pytest.mark.parametrize("seed", range(30))
def test_a_line_and_its_glyphs_are_drawn_as_by_plotext(seed: int) -> None:
    draw = random.Random(seed)
    width, height = draw.choice([(1, 1), (2, 3), (30, 9), (52, 19), (90, 40)])
    under, over, marks = a_run(draw), a_run(draw), a_run(draw)
    ink = Ink(width, height)
    ink.faint([under], "")
    ink.line([over], "", "line-0")
    ink.letters(marks, "●", "mark")
    signals: list[tuple[Run, str, Role]] = [
        (under, "braille", "faint"),
        (over, "braille", "line-0"),
        (marks, "●", "mark"),
    ]
    expected = by_plotext(signals, width, height)
    assert painted(Painter(Plot()), ink, width, height) == expected


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_meet_in_a_cell_show_the_dots_of_both(seed: int) -> None:
    draw = random.Random(seed)
    runs = [a_run(draw) for _ in LINES]
    ink = Ink(30, 9)
    for run, role in zip(runs, LINES, strict=True):
        ink.line([run], "", role)
    found = painted(Painter(Plot()), ink, 30, 9)
    alone = [by_plotext([(run, "braille", "line-0")], 30, 9) for run in runs]
    for y, row in enumerate(found):
        for x, (letter, role) in enumerate(row):
            here = [(i, one[y][x][0]) for i, one in enumerate(alone) if one[y][x][0] != " "]
            dots = 0
            for _, dot in here:
                dots |= ord(dot) - 0x2800
            assert letter == (chr(0x2800 + dots) if here else " ")
            assert role == (LINES[here[-1][0]] if here else "label")


@pytest.mark.parametrize("seed", range(10))
def test_what_is_painted_in_part_is_as_if_painted_whole(seed: int) -> None:
    """A line grows, another comes and goes, the canvas changes its size."""
    draw = random.Random(seed)
    painter = Painter(Plot())
    run: Run = []
    for _ in range(40):
        run = [*run, *a_run(draw, run[-1][0] if run else 0.0)[:3]]
        width, height = draw.choice([(40, 12)] * 9 + [(3, 2)])
        ink = Ink(width, height)
        ink.line([run], "", "line-0")
        if draw.random() < 0.3:
            ink.line([a_run(draw)], draw.choice(["", "o"]), "line-1")
        assert painted(painter, ink, width, height) == painted(Painter(Plot()), ink, width, height)


def test_of_a_line_that_grows_only_the_end_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []
    prepare = module._prepare

    def spy(plot: Any, width: int, height: int) -> None:
        widths.append(width)
        prepare(plot, width, height)

    monkeypatch.setattr(module, "_prepare", spy)
    painter = Painter(Plot())
    for length in (50, 50, 51, 52):
        ink = Ink(100, 20)
        ink.line([[(i / 100, (i % 7) / 7) for i in range(length)]], "", "line-0")
        painter.rows(ink.cells, 100, 20)
    assert widths[0] >= 49 and len(widths) == 3
    assert max(widths[1:]) <= 3
