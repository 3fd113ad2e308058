"""How a run fares, on its dashboard: pulse, silence, meters, probe pictures, and the grave lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.content import Content

from core.engine import Device, Load, Picture, Source
from core.errors import UserError
from core.runs import events as ev
from core.runs.snapshot import LOG_LINES, RunView
from tests.tui.conftest import (
    START,
    FakeEngine,
    Update,
    app_of,
    beginning,
    ending,
    epoch_events,
    screen_text,
    shows,
    training,
    until,
)
from tests.tui.test_dashboard import watch
from tui import vitals
from tui.app import AlexNetApp
from tui.messages import OpenReport
from tui.widgets.meters import Meters
from tui.widgets.picture import PictureView
from tui.widgets.probes import ProbeRow

MakeApp = Callable[[], AlexNetApp]
GIB = 2**30
DIVERGED = ev.Pulse(
    time=START + 30,
    level="warning",
    kind="diverged",
    text="The loss rose to 380; guessing gives [/]0.693.",
    hint="Train again with a lower learning rate: 0.00025.",
)
LEARNING = ev.Pulse(time=START + 30, level="good", kind="learning", text="learning")


def gpu(busy: float = 0.97, pids: tuple[int, ...] = ()) -> Device:
    return Device(
        name="NVIDIA H100 80GB HBM3",
        is_gpu=True,
        busy=busy,
        memory_used=int(8.1 * GIB),
        memory_total=80 * GIB,
        watts=412.0,
        celsius=61,
        processes=frozenset(pids),
    )


def load(*gpus: Device, cpu: float = 0.61) -> Load:
    return Load(
        gpus=gpus,
        cpu=cpu,
        memory_used=int(5.1 * GIB),
        memory_total=24 * GIB,
        worker_cores=1.9,
        worker_memory=int(3.1 * GIB),
    )


async def test_the_pulse_is_a_sentence_with_what_to_do(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = [*training(2), LEARNING]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "◆ learning")
        engine.more.put_nowait(Update(events=[DIVERGED], alive=True))
        await shows(
            pilot,
            "! The loss rose to 380; guessing gives [/]0.693.",
            "Train again with a lower learning rate: 0.00025.",
            "s: stop",
        )


@pytest.mark.parametrize("size", [(50, 15), (120, 40)])
async def test_a_warning_of_the_pulse_has_room_everywhere(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.log = [*training(2), DIVERGED]
    async with make_app().run_test(size=size) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "! The loss rose to 380", "lower learning rate: 0.00025.")


async def test_a_run_that_is_over_has_no_pulse(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [*training(12), LEARNING, *ending()]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        assert "◆ learning" not in await shows(pilot, "Test accuracy")


async def test_c093_a_silent_trainer_is_told_and_never_killed(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = [*training(2), LEARNING]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "◆ learning")
        engine.more.put_nowait(Update(events=[], alive=True, silent=77.0))
        await shows(pilot, "No sign of life for 75 s", "process 4711", "s: stop or end it")
        engine.more.put_nowait(Update(events=[], alive=True, silent=0.2))
        text = await shows(pilot, "◆ learning")
        assert "No sign of life" not in text
    assert engine.orders == []


async def test_c094_a_silent_trainer_can_be_ended_whatever_it_hangs_in(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    # In the test of the model, where no order is obeyed.
    engine.log = [*training(12), ending()[0]]
    async with make_app().run_test(size=(80, 24), notifications=True) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, "testing")
        await pilot.press("s")
        assert screen.is_current
        engine.more.put_nowait(Update(events=[], alive=True, silent=77.0))
        await shows(pilot, "No sign of life for 75 s")
        await pilot.press("s")
        text = await shows(pilot, "no sign of life for 77 s", "end its process")
        assert "after this epoch" not in text
        await pilot.press("n")
        await until(pilot, lambda: engine.orders == ["end"])
        await shows(pilot, "listening once more")
        # What has been done is not announced any more.
        assert screen.asked is None


async def test_a_short_silence_is_not_worth_a_word(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [*training(2), LEARNING]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        engine.more.put_nowait(Update(events=[], alive=True, silent=59.0))
        await until(pilot, lambda: screen.silent == 59.0)
        assert "No sign of life" not in await shows(pilot, "◆ learning")


async def test_the_machine_is_measured_while_the_run_lives(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    engine.loads_to_show = [load(gpu(0.2), gpu(0.97, (4711,)))]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        # The run's own GPU, which is not the first.
        await shows(pilot, "GPU 97 % ", "8.1/80 GB", "CPU 61 %", "RAM 5.1/24 GB")
        engine.more.put_nowait(Update(events=[*ending()], alive=False))
        assert "RAM" not in await shows(pilot, "Test accuracy")


async def test_every_gpu_is_shown_on_a_key_and_where_there_is_room(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    engine.loads_to_show = [load(gpu(0.2), gpu(0.97, (4711,)))]
    async with make_app().run_test(size=(120, 40)) as pilot:
        await watch(pilot, engine)
        assert "HBM3" not in await shows(pilot, "GPU 97 %")
        await pilot.press("m")
        await shows(pilot, "0 NVIDIA H100 80GB HBM3", "GPU 20 %", "●  1 NVIDIA", "412 W · 61 C")
        await pilot.press("m")
        await until(pilot, lambda: "HBM3" not in screen_text(app_of(pilot)))
    async with make_app().run_test(size=(200, 60)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "0 NVIDIA H100 80GB HBM3", "●  1 NVIDIA", "m all GPUs")


async def test_a_machine_without_gpus_has_no_key_for_them(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    engine.loads_to_show = [load()]
    async with make_app().run_test(size=(120, 40)) as pilot:
        await watch(pilot, engine)
        text = await shows(pilot, "CPU 61 %", "trainer 1.9 cores, 3.1 GB")
        assert "all GPUs" not in text and "GPU" not in text.replace("NVIDIA H100", "")


async def test_meters_that_hardly_move_are_not_painted_anew(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    engine.loads_to_show = [load(cpu=0.61), load(cpu=0.62), load(cpu=0.60), load(cpu=0.40)]
    shown: list[str] = []
    async with make_app().run_test(size=(80, 24)) as pilot:
        show = Meters.show

        def note(line: Meters, words: Content) -> None:
            # A line paints what differs from what stands there.
            if words != line.shown:
                shown.append(words.plain)
            show(line, words)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Meters, "show", note)
            await watch(pilot, engine)
            await shows(pilot, "CPU 40 %")
    assert [words.split("%")[0].strip() for words in shown] == ["CPU 61", "CPU 40"]


def test_a_run_on_the_processor_shows_no_gpu_and_another_number_is_no_crash() -> None:
    started = beginning()[0]
    assert isinstance(started, ev.RunStarted)
    on_cpu = msgspec.structs.replace(started, device="cpu")
    assert vitals.own_gpu(load(gpu()), on_cpu) is None
    second = msgspec.structs.replace(started, device="cuda:1")
    assert vitals.own_gpu(load(gpu(), gpu(), gpu()), second) == 1
    # A driver that hides processes, and a device that is not there.
    assert vitals.own_gpu(load(gpu()), second) == 0
    refused = dataclasses.replace(gpu(), busy=None, memory_used=None, watts=None, celsius=None)
    assert "GPU · CPU" in vitals.meters(load(refused), started, 80).plain


def test_the_share_of_the_speed_is_what_waiting_leaves() -> None:
    step = next(event for event in epoch_events(1) if isinstance(event, ev.Step))
    assert vitals.speed(step) == "11,820 images/s"
    waits = msgspec.structs.replace(step, waiting=0.031)
    assert vitals.speed(waits) == "11,820 images/s · 97 % of full speed"


async def test_probe_pictures_are_read_once_a_run(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(120, 40)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "0.97 ✓", "0.61 ✗", "not sure", "is sad", "▀▀▀")
        data = Path("/data/faces-10k")
        assert engine.previewed == [data / "h.png", data / "s.png"]
        before = [*screen.query(PictureView)]
        changed = [*epoch_events(3)]
        changed[-2] = msgspec.structs.replace(
            changed[-2], probes=[ev.Probe("h.png", "happy", "happy", 0.5), _SAD]
        )
        engine.more.put_nowait(Update(events=changed, alive=True))
        await shows(pilot, "0.50 ✓", "0.93 ✓")
        assert [*screen.query(PictureView)] == before and len(engine.previewed) == 2


_SAD = ev.Probe("s.png", "sad", "sad", 0.93)


async def test_probe_pictures_are_a_key_away_where_there_is_less_room(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    engine.log = training(2)
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        await shows(pilot, "probes  happy 0.97   happy 0.61 ? ✗")
        assert engine.previewed == []
        await pilot.press("i")
        await shows(pilot, "▀▀▀", "happy 0.61 ? ✗")
        assert screen.query_one(ProbeRow).region.area > 0
        await pilot.press("i")
        await shows(pilot, "probes  happy 0.97", "best model saved")


async def test_without_its_data_a_probe_is_words(
    make_app: MakeApp, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(source: Path | Source, size: int = 48) -> Picture:
        raise UserError("It is not there.", "")

    monkeypatch.setattr(engine, "preview", gone)
    engine.log = training(2)
    async with make_app().run_test(size=(120, 40)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "probes  happy 0.97   happy 0.61 ? ✗")


async def test_v_goes_through_the_levels_of_the_log(make_app: MakeApp, engine: FakeEngine) -> None:
    engine.log = [
        *training(2),
        ev.Note(time=START + 40, level="warning", text="mind [/this]"),
        ev.Note(time=START + 41, level="error", text="and that"),
        *[ev.Note(time=START + 42 + i, level="info", text=f"line {i}") for i in range(LOG_LINES)],
    ]
    async with make_app().run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        assert "and that" not in await shows(pilot, f"line {LOG_LINES - 1}")
        await pilot.press("v")
        said = "2 warnings and errors only   v: errors only"
        text = await shows(pilot, "! mind [/this]", "✗ and that", said)
        assert f"line {LOG_LINES - 1}" not in text
        await pilot.press("v")
        assert "mind" not in await shows(pilot, "✗ and that", "1 error only   v: all")
        await pilot.press("v")
        await shows(pilot, f"line {LOG_LINES - 1}")


async def test_the_log_scrolls_by_keys_and_then_stays(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    notes = [ev.Note(time=START + 42 + i, level="info", text=f"line {i}.") for i in range(200)]
    engine.log = [*training(2), *notes]
    async with make_app().run_test(size=(80, 24)) as pilot:
        screen = await watch(pilot, engine)
        screen.PAINT_SECONDS = 0.01  # type: ignore[misc]
        await shows(pilot, "line 199.")
        await pilot.press("pageup")
        await until(pilot, lambda: "line 199." not in screen_text(app_of(pilot)))
        new = ev.Note(time=START + 300, level="info", text="one more")
        engine.more.put_nowait(Update(events=[new], alive=True))
        await until(pilot, lambda: screen.snapshot.log[-1].text == "one more")
        await pilot.pause()
        assert "one more" not in screen_text(app_of(pilot))
        await pilot.press("G")
        await shows(pilot, "one more")


async def test_r_asks_for_the_report_of_a_finished_run_alone(
    engine: FakeEngine, data: Path
) -> None:
    asked: list[OpenReport] = []

    class App(AlexNetApp):
        def on_open_report(self, message: OpenReport) -> None:
            message.stop()
            asked.append(message)

    engine.log = training(2)
    async with App(engine, at=data).run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        assert "r report" not in await shows(pilot, "epoch 2/12")
        await pilot.press("r")
        await pilot.pause()
    assert asked == []
    engine.log = [*training(12), *ending()]
    async with App(engine, at=data).run_test(size=(80, 24)) as pilot:
        await watch(pilot, engine)
        await shows(pilot, "r: report", "r report")
        await pilot.press("r")
        await until(pilot, lambda: asked)
    assert asked[0].run is engine.run


def test_a_log_of_an_older_version_has_no_pulse_and_no_complaint() -> None:
    view = RunView()
    view.apply(training(2))
    assert vitals.pulse(view.snapshot(), 0.0).plain == ""
