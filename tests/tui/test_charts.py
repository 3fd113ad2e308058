"""The charts of a run as one looks at them: zoom, crosshair, x axes, smoothing, and what stays the same."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from textual.pilot import Pilot
from textual_plotext.plot import Plot

from core.runs import events as ev
from core.runs.snapshot import RunView, Snapshot
from tests.tui.conftest import (
    START,
    FakeEngine,
    Update,
    app_of,
    beginning,
    ending,
    opened,
    screen_text,
    shows,
    training,
    until,
)
from tui.app import AlexNetApp
from tui.curves import View, accuracy_curves, loss_curves, ruler, x_limit
from tui.messages import OpenRun
from tui.screens.dashboard import Dashboard
from tui.widgets.chart import Chart
from tui.widgets.charts import Charts
from tui.widgets.heading import Entry, readings
from tui.widgets.sketch import Artist, Series, Sketch, draw

MakeApp = Callable[[], AlexNetApp]
Curves = Callable[[Snapshot, View], list[Series]]
STEPS = 56
TRAINING = next(event for event in beginning() if isinstance(event, ev.TrainingStarted))


def run_of(epochs: int, first: int = 1, per_epoch: int = STEPS) -> list[ev.AnyEvent]:
    """Return the epochs from `first` on: the loss of step n is n / 1000, that of epoch e is e / 10."""
    said: list[ev.AnyEvent] = []
    for epoch in range(first, epochs + 1):
        for step in range((epoch - 1) * per_epoch + 1, epoch * per_epoch + 1):
            said += [
                ev.Step(
                    time=START + 3 + step,
                    epoch=epoch,
                    step=step,
                    loss=step / 1000,
                    accuracy=0.5,
                    learning_rate=0.01,
                    images_per_second=9.0,
                )
            ]
        said.append(
            ev.EpochEnded(
                time=START + 3 + epoch * per_epoch,
                epoch=epoch,
                step=epoch * per_epoch,
                loss=0.4,
                accuracy=0.5,
                validation_loss=epoch / 10,
                validation_accuracy=0.5 + epoch / 1000,
                images_per_second=9.0,
                seconds=5.6,
                best=True,
                best_accuracy=0.5 + epoch / 1000,
            )
        )
    return said


async def watch(pilot: Pilot[None], engine: FakeEngine) -> Charts:
    """Open the dashboard on the engine's run and wait until its curves are drawn."""
    assert engine.run is not None
    app_of(pilot).post_message(OpenRun(engine.run))
    await opened(pilot, "dashboard")
    screen = pilot.app.screen
    assert isinstance(screen, Dashboard)
    screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
    screen.charts.SECONDS = 0.0  # type: ignore[misc]
    await until(pilot, lambda: "steps" in chart_text(screen.charts))
    return screen.charts


async def settle(pilot: Pilot[None]) -> None:
    """Wait until what was asked for is drawn."""
    await pilot.pause()
    await until(pilot, lambda: not [w for w in pilot.app.workers if w.group == "chart"])


async def press(pilot: Pilot[None], *keys: str) -> str:
    """Press keys and return what the loss chart shows then."""
    await pilot.press(*keys)
    await settle(pilot)
    return chart_text(pilot.app.screen.query_one(Charts))


def chart_text(charts: Charts, name: str = "#loss") -> str:
    chart = charts.query_one(name, Chart)
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


def ticks(text: str) -> list[str]:
    return text.splitlines()[-1].split()


async def test_the_crosshair_reads_every_line(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = beginning(epochs=100) + run_of(30)
    async with make_app().run_test(size=(120, 40)) as pilot:
        charts = await watch(pilot, engine)
        before = chart_text(charts)
        newest = await press(pilot, "left")
        assert "epoch 30, step 1,680" in newest
        text = await press(pilot, "left")
        head = "\n".join(text.splitlines()[:2])
        # One column holds half an epoch, so this one is that of the epoch before or a step.
        step = int(re.findall(r"step ([\d,]+)", head)[0].replace(",", ""))
        assert 1_600 <= step < 1_680
        low, high = re.findall(r"⠒ (?:steps )?([\d.]+)–([\d.]+)", head)[0]
        assert float(low) <= step / 1000 <= float(high) <= float(low) + 0.008
        assert text.count("┊") > 5
        for _ in range(4):
            text = await press(pilot, "shift+left")
            epoch = float(re.findall(r"epoch ([\d.]+)", text)[0])
            step = int(re.findall(r"step ([\d,]+)", text)[0].replace(",", ""))
            assert step == pytest.approx(epoch * STEPS, rel=1e-3)
            validation = float(re.findall(r"● (?:validation )?([\d.]+)", text)[0])
            assert abs(validation - epoch / 10) <= 0.05 + 1e-9
        assert "%" in chart_text(charts, "#accuracy").splitlines()[1]
        for _ in range(100):
            await pilot.press("left")
        assert "step 1\n" in (await press(pilot, "left")) + "\n" or charts.crosshair == 1
        assert await press(pilot, "0") == before


async def test_zoom_looks_closer_around_the_crosshair(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = beginning(epochs=100) + run_of(30)
    async with make_app().run_test(size=(80, 24)) as pilot:
        charts = await watch(pilot, engine)
        whole = chart_text(charts)
        assert ticks(whole)[-1] == "30"
        await press(pilot, "left", "shift+left")
        at = charts.crosshair
        assert at is not None
        text = await press(pilot, "plus", "equals_sign", "right_square_bracket")
        assert "epoch ×8" in text
        assert charts.window is not None and charts.crosshair == at
        low, high = charts.window
        assert high - low == pytest.approx(30 * STEPS / 8)
        assert low <= at <= high
        assert all(low / STEPS <= float(tick) <= high / STEPS for tick in ticks(text))
        for _ in range(20):
            await pilot.press("plus")
        assert charts.window[1] - charts.window[0] < 20
        await press(pilot, *["minus"] * 10)
        assert charts.window is None
        assert ticks(await press(pilot, "0")) == ticks(whole)


async def test_at_an_edge_the_window_goes_with_the_crosshair(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = beginning(epochs=100) + run_of(30)
    async with make_app().run_test(size=(80, 24)) as pilot:
        charts = await watch(pilot, engine)
        await press(pilot, "plus", "plus", "plus")
        width = STEPS * 30 / 8
        seen = []
        for keys in [["shift+left"] * 3] * 12 + [["shift+right"] * 3] * 12:
            await press(pilot, *keys)
            assert charts.window is not None and charts.crosshair is not None
            low, high = charts.window
            assert 0 <= low <= charts.crosshair <= high <= 30 * STEPS
            assert high - low == pytest.approx(width)
            seen.append(low)
        assert min(seen) == 0
        assert max(seen) == pytest.approx(30 * STEPS - width)


async def test_a_zoomed_view_stays_and_a_whole_one_follows(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = beginning(epochs=100) + run_of(20)
    async with make_app().run_test(size=(80, 24)) as pilot:
        charts = await watch(pilot, engine)
        assert ticks(chart_text(charts))[-1] == "20"
        await press(pilot, "left", "shift+left", "shift+left", "plus", "plus")
        zoomed, window = chart_text(charts), charts.window
        engine.more.put_nowait(Update(events=run_of(29, first=21), alive=True))
        await shows(pilot, "epoch 29/100")
        await settle(pilot)
        assert charts.window == window
        assert ticks(chart_text(charts)) == ticks(zoomed)
        assert ticks(await press(pilot, "0"))[-1] == "30"
        engine.more.put_nowait(Update(events=run_of(41, first=30), alive=True))
        await shows(pilot, "epoch 41/100")
        await until(pilot, lambda: ticks(chart_text(charts))[-1] == "40")


async def test_x_goes_through_epochs_steps_and_time(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = beginning(epochs=30) + run_of(30) + ending(epochs=30)
    async with make_app().run_test(size=(120, 40)) as pilot:
        charts = await watch(pilot, engine)
        by_epoch = await press(pilot, "left", "shift+left", "plus")
        at, window = charts.crosshair, charts.window
        assert at is not None
        by_step = await press(pilot, "x")
        assert " step ×2" in by_step and f"step {at:,.0f}" in by_step
        by_time = await press(pilot, "x")
        # The run takes a second a step.
        assert " minutes ×2" in by_time
        assert f"{at / 60:.4g} minutes, step {at:,.0f}" in by_time
        assert (charts.crosshair, charts.window) == (at, window)
        assert await press(pilot, "x") == by_epoch


async def test_w_smooths_more_or_less(make_app: MakeApp, engine: FakeEngine) -> None:
    draw = random.Random(1)
    engine.log = beginning(epochs=12) + [
        with_loss(step, draw.random()) for step in steps_of(run_of(6))
    ]
    async with make_app().run_test(size=(80, 24)) as pilot:
        charts = await watch(pilot, engine)
        usual = chart_text(charts)
        strong = await press(pilot, "w")
        raw = await press(pilot, "w")
        assert len({usual, strong, raw}) == 3
        assert await press(pilot, "w") == usual


def with_loss(step: ev.Step, loss: float) -> ev.Step:
    return msgspec.structs.replace(step, loss=loss)


async def test_charts_wait_for_what_can_be_seen(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late step moves a curve by less than a dot; the end of an epoch is seen at once."""
    engine.log = beginning(epochs=100) + run_of(30)
    async with make_app().run_test(size=(120, 40)) as pilot:
        charts = await watch(pilot, engine)
        await settle(pilot)
        charts.SECONDS, charts.PATIENCE = 100.0, 3  # type: ignore[misc]
        shown, drawn_at = charts._shown, charts._drawn_at

        def due(epochs: int, steps: int) -> float:
            ended = shown.epochs[: len(shown.epochs) - epochs]
            later = replace(shown, steps_done=shown.steps_done + steps, epochs=ended)
            charts.show(later)
            return round(charts._due - drawn_at)

        assert due(0, 1) == 300
        assert due(0, 40) == 100
        # What waits is not put off again.
        assert due(0, 1) == 100
        charts._next, charts._due = None, math.inf
        assert due(1, 1) == 100


def steps_of(events: list[ev.AnyEvent]) -> list[ev.Step]:
    return [event for event in events if isinstance(event, ev.Step)]


def drawn(now: Snapshot, view: View, width: int, ascii_only: bool, what: Curves) -> list[str]:
    """Return the canvas of a chart of `now`, without axes and head."""
    axis = ruler(now, view.along)
    sketch = Sketch(
        title="",
        series=tuple(what(now, view)),
        x_range=view.window and (axis.of(view.window[0]), axis.of(view.window[1])),
        x_limit=x_limit(now, axis),
        percent=what is accuracy_curves,
        ascii_only=ascii_only,
        width=width,
        height=14,
    )
    rows = ["".join(text for text, _ in row) for row in draw(sketch, Artist(Plot()))]
    return [re.sub(r"^[^┤│|+]*[┤│|+]", "", row) for row in rows[1:-2]]


WHOLE = View()
ODD_VIEWS = [
    WHOLE,
    View(along="time"),
    View(along="step", smoothing="strong"),
    View(window=(60_000, 62_000)),
    View(window=(61_000, 61_300), along="time", smoothing="none"),
]


@pytest.fixture(scope="module")
def long() -> Snapshot:
    """Return a run of 100,000 steps, all alike but one, whose best epoch was the 61st of 100."""
    started = msgspec.structs.replace(TRAINING, steps_per_epoch=1000)
    said = [event for epoch in range(1, 101) for event in long_epoch(epoch)]
    return snapshot(started, *said)


def long_epoch(epoch: int) -> list[ev.AnyEvent]:
    said = run_of(epoch, first=epoch, per_epoch=1000)
    changes = {"validation_loss": 1.0, "validation_accuracy": 0.9 if epoch == 61 else 0.6}
    end = msgspec.structs.replace(said[-1], best=epoch in (1, 61), **changes)
    losses = [with_loss(step, 5.0 if step.step == 61_234 else 1.0) for step in steps_of(said)]
    return [*losses, end]


@pytest.mark.parametrize("view", ODD_VIEWS)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", [40, 110])
def test_one_spike_among_100000_steps_is_drawn(
    long: Snapshot, view: View, ascii_only: bool, width: int
) -> None:
    rows = drawn(long, view, width, ascii_only, loss_curves)
    # Nothing but the spike reaches the upper rows.
    assert all(1 <= sum(c not in " \u2800" for c in row) <= 5 for row in rows[1:-5])


@pytest.mark.parametrize("view", ODD_VIEWS[:4])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_best_epoch_is_drawn_wherever_it_is_in_view(
    long: Snapshot, view: View, ascii_only: bool
) -> None:
    star = "*" if ascii_only else "★"
    assert sum(row.count(star) for row in drawn(long, view, 40, ascii_only, accuracy_curves)) == 1
    beside = View(window=(1, 5000))
    assert star not in "".join(drawn(long, beside, 40, ascii_only, accuracy_curves))


@pytest.mark.parametrize("view", [WHOLE, View(window=(200, 1500)), View(along="time")])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_what_is_no_number_is_a_gap(view: View, ascii_only: bool) -> None:
    events = [
        with_loss(step, math.nan if 600 < step.step <= 1080 else 1.0)
        for step in steps_of(run_of(30))
    ]
    rows = drawn(snapshot(TRAINING, *events), view, 80, ascii_only, loss_curves)
    seen = "".join(
        "x" if any(r[x : x + 1].strip(" \u2800") for r in rows) else " " for x in range(70)
    )
    assert re.fullmatch(r" ?x{10,} {15,}x{10,} *", seen)


async def test_keys_before_there_is_anything_to_draw_do_nothing(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = beginning()[:1]
    async with make_app().run_test(size=(80, 24)) as pilot:
        assert engine.run is not None
        app_of(pilot).post_message(OpenRun(engine.run))
        await opened(pilot, "dashboard")
        await pilot.press("left", "plus", "minus", "x", "w", "0", "shift+right", "right")
        assert "preparing" in screen_text(app_of(pilot))


async def test_the_curves_wait_until_the_log_is_read(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(3)
    async with make_app().run_test(size=(80, 24)) as pilot:
        charts = await watch(pilot, engine)
        before = charts._now
        engine.more.put_nowait(Update(events=run_of(8, first=4), alive=True, behind=True))
        await shows(pilot, "epoch 8/12")
        assert charts._now is before
        engine.more.put_nowait(Update(events=run_of(9, first=9), alive=True))
        await shows(pilot, "epoch 9/12")
        await until(pilot, lambda: len(charts._now.epochs) == 9)


def test_readings_use_two_rows_only_where_they_must() -> None:
    entries = [Entry("━", "line-0", "train", "0.5"), Entry("●", "line-1", "validation", "0.25")]
    wide = readings("loss", "epoch 3", entries, 60, 2, "…")
    assert ["".join(text for text, _ in row).split() for row in wide] == [
        ["loss", "epoch", "3", "━", "train", "0.5", "●", "validation", "0.25"]
    ]
    for width in range(1, 60):
        for rows in (1, 2):
            said = readings("loss", "epoch 3", entries, width, rows, "…")
            assert 1 <= len(said) <= rows
            assert all(sum(len(text) for text, _ in row) <= width for row in said)
    short = readings("loss", "epoch 3", entries, 26, 1, "…")
    assert "".join(text for text, _ in short[0]).split() == ["epoch", "3", "━", "0.5", "●", "0.25"]
    narrow = readings("loss", "epoch 3", entries, 18, 1, "…")
    assert "".join(text for text, _ in narrow[0]).split() == ["━", "0.5", "●", "0.25"]


def snapshot(*events: ev.AnyEvent) -> Snapshot:
    view = RunView()
    view.apply(events)
    return view.snapshot()
