"""The same events always show the same run, and no thinning hides what happened."""

from __future__ import annotations

import random

import msgspec
import pytest

from core.runs import events as ev
from core.runs.snapshot import CURVE_BUCKETS, LOG_LINES, Curve, RunView, Snapshot


def step(number: int, loss: float = 0.5, time: float = 0.0) -> ev.Step:
    return ev.Step(
        time=time,
        epoch=(number - 1) // 10 + 1,
        step=number,
        loss=loss,
        accuracy=0.5,
        learning_rate=1e-3,
        images_per_second=100.0,
    )


def epoch(number: int, accuracy: float, best: bool) -> ev.EpochEnded:
    return ev.EpochEnded(
        epoch=number,
        step=number * 10,
        loss=0.4,
        accuracy=0.8,
        validation_loss=0.5,
        validation_accuracy=accuracy,
        images_per_second=100.0,
        seconds=1.0,
        best=best,
        best_accuracy=accuracy,
    )


STARTED = ev.RunStarted(
    time=100.0,
    run="/runs/r",
    data="/data",
    epochs=4,
    device="cpu",
    device_name="CPU",
    precision="fp32",
    pid=1,
)
TRAINING = ev.TrainingStarted(
    time=110.0,
    image_size=64,
    batch_size=8,
    steps_per_epoch=10,
    learning_rate=1e-3,
    parameters=1,
    tier="disk",
)


def shown(*events: ev.AnyEvent, alive: bool = True) -> Snapshot:
    view = RunView()
    view.apply(events)
    return view.snapshot(alive)


def test_a_spike_of_one_step_among_100000_is_kept() -> None:
    curve = Curve()
    for i in range(100_000):
        curve.add(i, 50.0 if i == 61_234 else 1.0)
    buckets = curve.buckets()
    assert CURVE_BUCKETS <= len(buckets) < 2 * CURVE_BUCKETS
    assert max(b.high for b in buckets) == 50.0
    assert sum(b.points for b in buckets) == 100_000


def test_thinning_keeps_the_extremes_and_the_mean_of_any_curve() -> None:
    draw = random.Random(1)
    values = [draw.gauss(0, 1) for _ in range(5000)]
    curve = Curve()
    for i, value in enumerate(values):
        curve.add(i, value)
    buckets = curve.buckets()
    assert min(b.low for b in buckets) == min(values)
    assert max(b.high for b in buckets) == max(values)
    mean = sum(b.mean * b.points for b in buckets) / len(values)
    assert mean == pytest.approx(sum(values) / len(values))
    assert [b.x for b in buckets] == sorted(b.x for b in buckets)


def test_attaching_late_shows_what_a_live_watcher_saw() -> None:
    events: list[ev.AnyEvent] = [
        STARTED,
        TRAINING,
        *[step(i) for i in range(1, 11)],
        epoch(1, 0.7, True),
    ]
    live = RunView()
    for event in events:
        live.apply([event])
        live.snapshot()
    assert live.snapshot() == shown(*events)


def test_states_follow_the_events() -> None:
    assert shown().state == "starting"
    assert shown(STARTED).state == "preparing"
    assert shown(STARTED, TRAINING).state == "training"
    assert shown(STARTED, TRAINING, ev.Paused()).state == "paused"
    assert shown(STARTED, TRAINING, ev.Paused(), ev.Continued(seconds=1)).state == "training"
    assert shown(STARTED, TRAINING, ev.Stopping(reason="stop", epoch=1)).state == "stopping"
    failed = ev.RunFailed(run="r", title="t", hint="h")
    assert shown(STARTED, failed).state == "failed"
    assert shown(STARTED, failed, alive=False).state == "failed"
    assert shown(STARTED, TRAINING, alive=False).state == "interrupted"


def test_a_run_that_ended_early_is_stopped_not_finished() -> None:
    def ended(epochs: int) -> ev.RunEnded:
        return ev.RunEnded(
            run="r",
            model="m",
            seconds=1,
            images_per_second=1,
            epochs=epochs,
            best_epoch=1,
            validation=ev.Accuracy(accuracy=0.5),
            test=ev.Interval(accuracy=0.5, low=0.4, high=0.6, n=10),
        )

    assert shown(STARTED, TRAINING, ended(2)).state == "stopped"
    assert shown(STARTED, TRAINING, ended(4)).state == "finished"


def test_progress_and_time_left_come_from_the_steps() -> None:
    now = shown(STARTED, TRAINING, step(10, time=120.0))
    assert now.fraction == pytest.approx(10 / 40)
    assert now.seconds_left == pytest.approx(30.0)
    paused: list[ev.AnyEvent] = [ev.Paused(time=120.0), ev.Continued(time=220.0, seconds=100.0)]
    later = shown(STARTED, TRAINING, step(10, time=120.0), *paused, step(20, time=230.0))
    assert later.seconds_left == pytest.approx(20.0)


def test_the_best_epoch_is_the_last_one_marked_best() -> None:
    now = shown(STARTED, TRAINING, epoch(1, 0.6, True), epoch(2, 0.8, True), epoch(3, 0.7, False))
    assert now.best is not None and now.best.epoch == 2
    assert [e.epoch for e in now.epochs] == [1, 2, 3]


def test_names_in_the_log_cannot_steer_the_terminal() -> None:
    now = shown(ev.LeftOut(path="a\x1b[2Jb\n.jpg", reason="is empty"))
    assert now.log[-1].text == "left out a\\x1b[2Jb\\n.jpg: is empty"


def test_c109_a_standstill_does_not_stretch_the_time_left() -> None:
    def ended(number: int, seconds: float) -> ev.EpochEnded:
        event = epoch(number, 0.7, False)
        return msgspec.structs.replace(event, seconds=seconds)

    hour = 3600.0
    now = shown(STARTED, TRAINING, ended(1, 10.0), ended(2, hour), ended(3, 12.0))
    assert now.seconds_left == pytest.approx(12.0)
    # A clock that is set while the run goes on changes nothing.
    jumped = msgspec.structs.replace(ended(3, 12.0), time=1e10)
    assert shown(STARTED, TRAINING, ended(1, 10.0), jumped).seconds_left == pytest.approx(11.0)


def test_a_pause_is_no_part_of_an_epochs_time() -> None:
    slept: list[ev.AnyEvent] = [ev.Paused(), ev.Continued(seconds=500.0)]
    ended = msgspec.structs.replace(epoch(1, 0.7, True), seconds=510.0)
    assert shown(STARTED, TRAINING, *slept, ended).seconds_left == pytest.approx(30.0)


def test_no_number_of_lesser_lines_pushes_out_a_warning() -> None:
    notes = [ev.Note(level="info", text=f"line {i}", time=10.0 + i) for i in range(2 * LOG_LINES)]
    first = ev.Note(level="warning", text="mind this", time=1.0)
    second = ev.Note(level="error", text="and this", time=500.0)
    now = shown(first, *notes[:400], second, *notes[400:])
    assert len(now.log) == LOG_LINES
    assert [line.text for line in now.grave] == ["mind this", "and this"]


def test_only_a_warning_of_the_pulse_and_its_end_are_lines_of_the_log() -> None:
    learning = ev.Pulse(level="good", kind="learning", text="learning")
    spike = ev.Pulse(level="warning", kind="spike", text="It jumped.", hint="Lower it.")
    assert shown(STARTED, learning).log == shown(STARTED).log
    now = shown(STARTED, learning, spike, learning)
    assert [line.text for line in now.log[-2:]] == ["It jumped. Lower it.", "learning"]
    assert now.pulse == learning and len(now.grave) == 1
