"""Where an answer comes from: the part that counts is found, and the words and characters say so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.cli_classify import heat_lines
from core.prediction.answering import Predicted
from core.prediction.classifier import Classifier
from core.prediction.explain import CELLS, Heat, heat_map
from core.text import SHADES
from tests.core.conftest import TrainedRun, cli

SIZE = 20


def square(channels: int, bright: tuple[int, int]) -> bytes:
    """Return a dark square with one bright cell of two by two pixels, at `bright` (row, column)."""
    plane = bytearray(SIZE * SIZE)
    for y in (2 * bright[0], 2 * bright[0] + 1):
        start = y * SIZE + 2 * bright[1]
        plane[start : start + 2] = bytes([200, 200])
    return bytes(plane) * channels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bright", [(0, 0), (4, 7), (9, 9), (9, 0)])
async def test_what_the_answer_comes_from_is_where_it_is_lost(
    channels: int, bright: tuple[int, int]
) -> None:
    asked = []

    async def ask(pixels: bytes) -> Predicted:
        asked.append(pixels)
        return Predicted([0.3, 0.7] if max(pixels) < 200 else [0.95, 0.05], 0.0)

    heat = await heat_map(ask, square(channels, bright), channels, 1.0, [0.95, 0.05], 0)
    cells = {(r, c): heat.shares()[r][c] for r in range(CELLS) for c in range(CELLS)}
    assert max(cells, key=cells.__getitem__) == bright and cells[bright] == 1.0
    near = {at for at in cells if max(abs(at[0] - bright[0]), abs(at[1] - bright[1])) < 2}
    assert {at for at, share in cells.items() if share > 0} == near
    assert heat.lowest == 0.3
    assert len(asked) == (CELLS + 1) ** 2 and {len(one) for one in asked} == {channels * SIZE**2}


async def test_a_certain_answer_has_its_map_too() -> None:
    async def ask(pixels: bytes) -> Predicted:
        return Predicted([1.0 - 1e-7, 1e-7] if max(pixels) < 200 else [1.0, 1e-9], 0.0)

    heat = await heat_map(ask, square(1, (2, 3)), 1, 1.0, [1.0, 1e-9], 0)
    assert heat.shares()[2][3] == 1.0 and heat.cells[2][3] == pytest.approx(4.6, abs=0.1)


def test_a_map_of_nothing_lost_is_empty() -> None:
    # Batches of other sizes round otherwise: that is no loss.
    for noise in (0.0, 3e-7):
        heat = Heat(cells=((-1.0, noise),) * 2, lowest=0.9)
        assert heat.shares() == [[0.0, 0.0], [0.0, 0.0]] and heat.shows_nothing
        assert list(heat_lines("happy", heat)) == [
            "  happy comes from no part of the picture alone"
        ]


async def test_only_what_the_model_sees_is_covered() -> None:
    asked: list[bytes] = []

    async def ask(pixels: bytes) -> Predicted:
        asked.append(pixels)
        return Predicted([0.9, 0.1], 0.0)

    pixels = bytes([0] * 10 + [9] * (SIZE**2 - 10))
    heat = await heat_map(ask, pixels, 1, 0.5, [0.9, 0.1], 0)
    assert heat.view == 0.5
    touched = {i for one in asked for i in range(SIZE**2) if one[i] != pixels[i]}
    rows, columns = {i // SIZE for i in touched}, {i % SIZE for i in touched}
    assert rows == columns == set(range(5, 15))


def test_the_fullest_character_is_where_most_is_lost() -> None:
    heat = Heat(cells=((0.0, 1.0), (2.0, -3.0)), lowest=0.1)
    upper, lower, _ = heat_lines("happy", heat)
    assert upper == "    " + 2 * SHADES[round(0.5 * (len(SHADES) - 1))]
    assert lower == "  " + 2 * SHADES[-1] + "  "


def test_the_verb_tells_it_of_each_picture(trained: TrainedRun) -> None:
    pictures = [str(trained.data / "high" / name) for name in ("000.png", "001.png")]
    done = cli("classify", str(trained.data), *pictures, "nowhere.png", "--heat", "--json")
    told = done.objects
    assert done.code == 1 and "error" in told[2]
    for one in told[:2]:
        cells = one["heat"]["cells"]
        assert [len(row) for row in cells] == [CELLS] * CELLS
        assert 0 <= one["heat"]["lowest"] <= one["confidence"] + 1e-6
    plain = cli("classify", str(trained.data), pictures[0])
    drawn = cli("classify", str(trained.data), pictures[0], "--heat").out.splitlines()
    assert drawn[0] == plain.out.strip() and len(drawn) in (2, 1 + CELLS + 1)


async def test_an_answer_is_explained_by_the_warm_model_meanwhile_others_are_given(
    trained: TrainedRun,
) -> None:
    picture = str(trained.data / "high" / "000.png")
    async with Classifier(trained.data) as classifier:
        answer = await classifier.classify(picture)
        pid = classifier.predictions.pid
        explaining = asyncio.create_task(classifier.explain(answer))
        other = await classifier.classify(picture)
        assert other.probabilities == pytest.approx(answer.probabilities, abs=1e-5)
        explained = await explaining
        assert explained.heat is not None and explained.heat.lowest <= answer.confidence + 1e-6
        assert replace(explained, heat=None) == answer
        # Who gives up costs the model nothing.
        given_up = asyncio.create_task(classifier.explain(answer))
        await asyncio.sleep(0.05)
        given_up.cancel()
        assert (await classifier.classify(picture)).label == answer.label
        assert classifier.predictions.pid == pid
