"""Probability bars: the likeliest first, as many as fit, names shown as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tui.widgets.bars import ProbabilityBars

FACES = {"sad": 0.07, "happy": 0.913, "angry": 0.017}


class Bars(App[None]):
    """One set of bars."""

    CSS = ".tall { height: 1fr; }"

    def __init__(self, ascii_only: bool = False, tall: bool = True) -> None:
        super().__init__()
        self.bars = ProbabilityBars(classes="tall" if tall else "")
        self.ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        yield self.bars


async def shown(
    probabilities: Mapping[str, float],
    *,
    sure: bool = True,
    size: tuple[int, int] = (50, 6),
    ascii_only: bool = False,
) -> list[str]:
    app = Bars(ascii_only)
    async with app.run_test(size=size) as pilot:
        app.bars.show(probabilities, sure)
        await pilot.pause()
        return [app.bars.render_line(y).text for y in range(app.bars.size.height)]


async def test_the_likeliest_is_first_and_has_the_longest_bar() -> None:
    lines = await shown(FACES)
    assert [line.split()[0] for line in lines[:3]] == ["happy", "sad", "angry"]
    assert ["91.3 %" in lines[0], "7.0 %" in lines[1], "1.7 %" in lines[2]] == [True] * 3
    full = [line.count("█") for line in lines[:3]]
    assert full[0] > full[1] >= full[2]
    assert not "".join(lines[3:]).strip()


async def test_bars_are_as_long_as_the_probability_says() -> None:
    lines = await shown({"a": 0.5, "b": 0.25, "c": 0.25}, size=(31, 3))
    room = 31 - len("a ") - len("  100.0 %") - 1
    assert lines[0].count("█") == pytest.approx(room / 2, abs=1)
    assert lines[1].count("█") == pytest.approx(room / 4, abs=1)


async def test_a_rare_class_still_has_a_bar_and_an_impossible_one_none() -> None:
    lines = await shown({"sure": 0.9999, "rare": 0.0001, "never": 0.0})
    assert "▏" in lines[1]
    assert lines[2].split() == ["never", "0.0", "%"]


async def test_not_sure_is_said_without_colour() -> None:
    assert "?" in (await shown(FACES, sure=False))[0]
    assert "?" not in (await shown(FACES, sure=True))[0]


async def test_what_does_not_fit_is_counted() -> None:
    many = {f"class {i}": 1 / 1000 for i in range(1000)}
    lines = await shown(many, size=(40, 8))
    assert len(lines) == 8
    assert lines[-1].strip() == "… 993 more"
    assert (await shown(many, size=(40, 1)))[0].strip() == "… 1,000 more"


async def test_exactly_as_many_as_fit_need_no_last_line() -> None:
    lines = await shown({f"c{i}": 0.25 for i in range(4)}, size=(40, 4))
    assert lines[3].startswith("c3")


@pytest.mark.parametrize(
    "name",
    [
        "[red]x[/]",
        "a[/]b",
        "[@click=app.quit]x[/]",
        "\x1b[31mx",
        "\u202egpj",
        "a\nb",
        "",
        "x" * 300,
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (5, 2), (9, 3), (14, 2), (20, 2), (80, 24)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_any_name_is_one_harmless_line(
    name: str, size: tuple[int, int], ascii_only: bool
) -> None:
    lines = await shown({name: 0.9, "表情の名前": 0.1}, size=size, ascii_only=ascii_only)
    assert len(lines) == size[1]
    assert all(cell_len(line) == size[0] and line.isprintable() for line in lines)
    if name.startswith("[") and size[0] == 80:
        assert lines[0].startswith(name)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 2.0, 1e308])
async def test_what_is_no_probability_is_shown_as_one(value: float) -> None:
    lines = await shown({"odd": value, "even": 0.5})
    assert any("even" in line for line in lines[:2])
    assert "nan" not in "".join(lines)
    assert "inf" not in "".join(lines)


async def test_names_are_cut_to_half_of_the_row() -> None:
    lines = await shown({"x" * 100: 1.0}, size=(40, 1))
    assert "…" in lines[0]
    assert lines[0].count("█") >= 10


async def test_plain_characters() -> None:
    many = {"x" * 100: 0.6, "b": 0.4, "c": 0.0, "d": 0.0}
    lines = await shown(many, size=(40, 3), ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert lines[0].count("#") > lines[1].count("#") > 0


async def test_it_is_as_high_as_it_has_classes() -> None:
    app = Bars(tall=False)
    async with app.run_test(size=(40, 20)) as pilot:
        app.bars.show(FACES, True)
        await pilot.pause()
        assert app.bars.size.height == 3
        app.bars.show({}, True)
        await pilot.pause()
        assert app.bars.size.height == 1
