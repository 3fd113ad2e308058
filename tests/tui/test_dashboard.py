"""Watching a run: what is shown at each of its moments, and what the keys order."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.errors import UserError
from core.runs import events as ev
from core.settings import Settings
from tests.tui.conftest import (
    SIZES,
    START,
    FakeEngine,
    Update,
    app_of,
    beginning,
    ending,
    epoch_events,
    opened,
    screen_text,
    shows,
    training,
    until,
)
from tui.app import AlexNetApp
from tui.messages import OpenRun
from tui.screens.classify import Classify
from tui.screens.dashboard import Dashboard

MakeApp = Callable[[], AlexNetApp]


async def watch(pilot: Pilot[None], engine: FakeEngine) -> Dashboard:
    """Open the dashboard on the engine's run."""
    assert engine.run is not None
    app_of(pilot).post_message(OpenRun(engine.run))
    await opened(pilot, "dashboard")
    assert isinstance(pilot.app.screen, Dashboard)
    return pilot.app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_living_run_fits_at_every_size(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.log = training(7)
    async with make_app().run_test(size=size) as pilot:
        await watch(pilot, engine)
        text = await shows(
            pilot, "training", "epoch 7/12", "58 %", "best 82.9 % at epoch 7", "loss"
        )
        rows = text.splitlines()
        assert len(rows) <= size[1]
        assert "p pause/go" in rows[-1]
        if size[0] >= 80:
            await shows(pilot, "accuracy", "28 s left")
        if size[0] == 80:
            await shows(pilot, "probes", "happy 0.97", "happy 0.61 ? ✗")
        if size[0] > 80:
            await shows(pilot, "0.97 ✓", "0.61 ✗", "not sure", "is sad", "▀▀▀▀")


async def test_events_that_come_later_are_shown(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "epoch 2/12")
        engine.more.put_nowait(Update(events=epoch_events(3), alive=True))
        await shows(pilot, "epoch 3/12", "best 75.0 % at epoch 3")


async def test_it_paints_at_most_twice_a_second(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(1)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 60  # type: ignore[misc]
        await shows(pilot, "epoch 1/12")
        # The window's first size has it painted once more.
        await pilot.pause()
        for epoch in range(2, 8):
            engine.more.put_nowait(Update(events=epoch_events(epoch), alive=True))
        await until(pilot, engine.more.empty)
        await pilot.pause()
        assert "epoch 1/12" in screen_text(app_of(pilot))
        screen.paint()
        await shows(pilot, "epoch 7/12")


async def test_before_the_first_step_it_says_what_is_done(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = beginning()[:2]
    engine.log[1] = ev.Preparing(time=START, stage="decode", done=3300, total=9830)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "preparing", "decoding the pictures 3,300 of 9,830")


async def test_after_the_test_it_says_what_is_done_and_not_what_was(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    stopping = ev.Stopping(time=START + 78, reason="stop-now", epoch=7)
    engine.log = [*training(7), stopping]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        assert "s left" not in await shows(pilot, "stopping ·", "58 %")
        engine.more.put_nowait(Update(events=ending()[:1], alive=True))
        assert "decoding" not in await shows(pilot, "saving the model")
        certify = ev.Preparing(time=START + 81, stage="certify", done=3, total=64)
        engine.more.put_nowait(Update(events=[certify], alive=True))
        await shows(pilot, "checking the saved model 3 of 64")


async def test_p_pauses_and_lets_go_on(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "training")
        await pilot.press("p")
        await shows(pilot, "will pause")
        engine.more.put_nowait(Update(events=[ev.Paused(time=START + 20)], alive=True))
        text = await shows(pilot, "paused ·")
        assert "will pause" not in text
        await pilot.press("p")
        await shows(pilot, "will go on")
    assert engine.orders == ["pause", "go"]


async def test_a_pause_taken_back_before_it_began_is_not_waited_for(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "training")
        await pilot.press("p")
        await shows(pilot, "will pause")
        await pilot.press("p")
        await until(pilot, lambda: engine.orders == ["pause", "go"])
        await until(pilot, lambda: "will" not in screen_text(app_of(pilot)))


async def test_orders_are_not_offered_where_none_is_obeyed(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    # The trainer has trained: it tests the model and writes it, whatever is ordered.
    engine.log = [*training(12), ending()[0]]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        text = await shows(pilot, "testing", "c charts")
        assert "s stop" not in text and "p pause" not in text
        await pilot.press("p", "s")
        await opened(pilot, "dashboard")
    assert engine.orders == []


async def test_a_paused_run_is_left_paused(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [*training(2), ev.Paused(time=START + 20)]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "paused ·")
        await pilot.press("s")
        assert "go on training" not in await shows(pilot, "g  leave it paused")
        await pilot.press("g")
        await opened(pilot, "dashboard")
    assert engine.orders == []


async def test_other_keys_are_named_where_they_are_spoken_of(engine: FakeEngine) -> None:
    engine.log = [*training(12), *ending()]
    keys = {"dashboard.report": "f7", "dashboard.classify": "space"}
    app = AlexNetApp(engine, settings=Settings(keys=keys))
    async with app.run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "space: classify with it", "F7: report")


@pytest.mark.parametrize(
    ("keys", "orders"),
    [
        (("e",), ["stop"]),
        (("n",), ["stop-now"]),
        (("escape",), []),
        (("down", "enter"), ["stop"]),
        (("s", "s", "s", "enter"), []),
    ],
)
async def test_s_asks_before_it_stops(
    make_app: MakeApp, engine: FakeEngine, keys: tuple[str, ...], orders: list[str]
) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "training")
        await pilot.press("s")
        await shows(pilot, "Stop this training?")
        await pilot.press(*keys)
        await until(pilot, lambda: engine.orders == orders)
        await opened(pilot, "dashboard")


async def test_a_refused_order_says_why(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(2)
    engine.refusal = UserError("The run [/x] is not being trained.", "Orders go to living runs.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "training")
        await pilot.press("p")
        await shows(pilot, "The run [/x] is not being trained.", "Orders go to living runs.")


@pytest.mark.parametrize("size", [(50, 15), (80, 24)])
async def test_a_dead_trainer_is_told_with_its_last_words(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    assert engine.run is not None
    engine.log, engine.trainer_lives = training(3), False
    engine.run.worker_log.write_text("Traceback\nout of memory [/here] \x1b[31m\n")
    async with make_app().run_test(size=size) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "interrupted", "process is gone", "The model of epoch 3 is safe.")
        text = await shows(pilot, "out of memory [/here]")
        assert "left" not in text.splitlines()[1]
        assert "p pause/go" not in text


def saved_at(step: int) -> ev.Checkpointed:
    return ev.Checkpointed(time=START + 12, epoch=3, step=step, seconds=2.0, cost=0.4, at_risk=62.0)


async def test_c092_a_killed_run_says_what_is_saved_and_resumes(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.run is not None
    monkeypatch.setattr(engine, "how_it_died", lambda run: "killed, probably [/x]")
    engine.log, engine.trainer_lives = [*training(3), saved_at(130)], False
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        words = "Training stopped at step 168 (killed, probably [/x])."
        await shows(pilot, words, "Saved up to step 130.", "R: resume", "R resume")
        engine.log.append(ev.Resumed(time=START + 90, run="x", epoch=3, step=130))
        engine.log.append(beginning()[0])
        engine.trainer_lives = True
        # A crosshair on what is done again stands on nothing any more.
        await pilot.press("left", "R", "R")
        text = await shows(pilot, "preparing", "goes on at step 130 of epoch 3")
        assert engine.resumed == [engine.run]
        assert "R resume" not in text and "stopped" not in text


async def test_a_run_that_cannot_be_resumed_says_why(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log, engine.trainer_lives = training(3), False
    engine.refusal = UserError("The pictures are [/gone].", "Put them back.")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "No checkpoint yet.")
        await pilot.press("R")
        await shows(pilot, "The pictures are [/gone].", "Put them back.", "interrupted")


async def test_a_failed_run_says_why_and_what_next(make_app: MakeApp, engine: FakeEngine) -> None:
    failed = ev.RunFailed(
        time=START + 50, run="x", title="The loss is [/not] a number.", hint="Lower the rate."
    )
    engine.log = [*training(2), failed]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "failed", "✗ The loss is [/not] a number.", "Lower the rate.")


async def test_the_end_says_what_came_out(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [*training(12), *ending()]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(
            pilot,
            "Test accuracy 93.1 %  (95 % interval 91.9 % to 94.1 %, 1,966 pictures)",
            "✓ certified: the saved file gives the same label on 64 of 64 pictures",
            "Model /data/faces-10k/alexnet.safetensors",
            "12 epochs in 86 s, best at epoch 12",
        )
        await pilot.press("p", "s")
        await opened(pilot, "dashboard")
    assert engine.orders == []


async def test_the_model_is_the_runs_own_where_a_later_run_has_replaced_it(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    assert engine.run is not None
    own, written = engine.run.model, data / "alexnet.safetensors"
    own.write_bytes(b"this run's")
    written.write_bytes(b"a later run's")
    engine.log = [*training(12), *ending(str(written))]
    async with make_app().run_test(size=(120, 40)) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, f"Model ~/{own.relative_to(Path.home())}", "enter: classify with it")
        await pilot.press("enter")
        await opened(pilot, "classify")
        assert isinstance(pilot.app.screen, Classify) and pilot.app.screen.model == own
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        # As old as the run: it is the one that this run has written.
        os.utime(written, (START, START))
        await pilot.press("enter")
        await opened(pilot, "classify")
        assert isinstance(pilot.app.screen, Classify) and pilot.app.screen.model == written


async def test_a_model_that_only_a_later_run_has_is_not_taken_for_this_runs(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    written = data / "alexnet.safetensors"
    written.write_bytes(b"a later run's")
    engine.log = [*training(12), *ending(str(written))]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        text = await shows(pilot, "alexnet.safetensors  is a later run's by now", "r: report")
        assert "classify with it" not in text
        await pilot.press("enter")
        await shows(pilot, "a later run has written over it.")
        await opened(pilot, "dashboard")


async def test_a_failed_certificate_is_not_hidden(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [*training(12), *ending()]
    engine.log[-2] = ev.Certified(n=64, same_label=60, largest_difference=0.3, passed=False)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "✗ NOT certified", "60 of 64")


async def test_c_goes_through_the_views(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(7)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, "best model saved")

        def shown() -> list[bool]:
            return [
                screen.query_one(f"#{name}").region.area > 0 for name in ("loss", "accuracy", "log")
            ]

        views = []
        for _ in range(4):
            await pilot.pause()
            views.append(shown())
            await pilot.press("c")
        await pilot.pause()
        assert views == [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0]]
        assert shown() == views[0]


async def test_l_switches_the_loss_to_a_logarithmic_axis(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    from tui.widgets.chart import Chart

    engine.log = training(3)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        await pilot.press("l")
        assert screen.query_one("#loss", Chart).log_scale
        await pilot.press("l")
        assert not screen.query_one("#loss", Chart).log_scale


async def test_numbers_that_are_none_do_not_end_the_app(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = [
        *beginning(),
        ev.Step(
            time=START + 4,
            epoch=1,
            step=1,
            loss=math.nan,
            accuracy=0.5,
            learning_rate=0.1,
            images_per_second=1,
        ),
    ]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "loss nan")


async def test_leaving_stops_the_following_and_nothing_else(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "training")
        await pilot.press("d")
        await opened(pilot, "home")
        await until(pilot, lambda: not [w for w in pilot.app.workers if w.group == "follow"])
    assert engine.orders == []
