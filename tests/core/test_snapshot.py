"""The same events always show the same run, and no thinning hides what happened."""

from __future__ import annotations

import random

import msgspec
import pytest

from core.runs import events as ev
from core.runs.snapshot import LOG_LINES, RunView, Snapshot


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


def test_attaching_late_shows_what_a_live_watcher_saw() -> None:
    """Event by event or in pieces of any size: equal to the last bit."""
    draw = random.Random(2)
    events: list[ev.AnyEvent] = [STARTED]
    for number in range(1, 9001):
        if number == 10:
            events.append(TRAINING)
        events.append(step(number, draw.gauss(1, 0.3), time=110.0 + number / 7))
        if number % 10 == 0:
            events.append(epoch(number // 10, draw.random(), True))
        if number == 5000:
            events += [ev.Paused(time=900.0), ev.Continued(time=950.0, seconds=50.0)]
    live, pieces = RunView(), RunView()
    for event in events:
        live.apply([event])
    start = 0
    while start < len(events):
        size = draw.randrange(1, 3000)
        pieces.apply(events[start : start + size])
        start += size
    assert live.snapshot() == pieces.snapshot() == shown(*events)


def test_seconds_are_those_of_training() -> None:
    """Pauses are left out, and the time between two trainers of one run."""
    now = shown(
        STARTED,
        TRAINING,
        step(1, time=112.0),
        ev.Paused(time=112.0),
        ev.Continued(time=212.0, seconds=100.0),
        step(2, time=213.0),
        msgspec.structs.replace(TRAINING, time=1000.0),
        step(3, time=1004.0),
        msgspec.structs.replace(epoch(1, 0.7, True), time=1005.0),
    )
    assert [bucket.seconds for bucket in now.losses] == [2.0, 3.0, 7.0]
    assert [bucket.seconds for bucket in now.validation_losses] == [8.0]


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


RESUMED = ev.Resumed(time=200.0, run="/runs/r", epoch=2, step=13)
FAILED = ev.RunFailed(time=150.0, run="/runs/r", title="No.", hint="Go.")


def test_what_is_done_again_after_a_kill_is_shown_once() -> None:
    first, second = epoch(1, 0.6, best=True), epoch(2, 0.7, best=True)
    kept, lost = [step(n) for n in range(1, 11)], [step(n, loss=9.0) for n in range(14, 21)]
    before: tuple[ev.AnyEvent, ...] = (
        STARTED,
        TRAINING,
        *kept,
        first,
        *[step(n) for n in (11, 12, 13)],
        *lost,
        second,
    )
    now = shown(*before, RESUMED)
    assert now.state == "preparing" and now.steps_done == now.saved_step == 13
    assert [e.epoch for e in now.epochs] == [1] and now.best == first
    assert max(bucket.high for bucket in now.losses) < 9.0
    assert now.steps_per_epoch == 10
    again: tuple[ev.AnyEvent, ...] = (*[step(n) for n in range(14, 21)], epoch(2, 0.65, best=True))
    later = shown(*before, RESUMED, STARTED, TRAINING, *again)
    assert [bucket.step for bucket in later.losses] == sorted(
        {bucket.step for bucket in later.losses}
    )
    assert [e.validation_accuracy for e in later.epochs] == [0.6, 0.65]
    assert later.state == "training" and later.epoch == 2
    assert any("step 13 of epoch 2; 7 steps done again" in line.text for line in later.log)


@pytest.mark.parametrize("end", [FAILED, None])
def test_a_resumed_run_lives_whatever_its_log_said_before(end: ev.RunFailed | None) -> None:
    first: list[ev.AnyEvent] = [STARTED, TRAINING, step(1), *([end] if end else [])]
    now = shown(*first, RESUMED, STARTED, TRAINING, step(14))
    assert now.state == "training" and now.failed is None and now.ended is None
    assert shown(*first, RESUMED, alive=False).state == "interrupted"


def test_the_time_left_is_told_by_the_pace_since_the_run_was_resumed() -> None:
    training = msgspec.structs.replace(TRAINING, time=1000.0)
    now = shown(STARTED, TRAINING, step(13, time=500.0), RESUMED, training, step(23, time=1020.0))
    # 10 steps in 20 s, 17 of 40 are left.
    assert now.seconds_left == pytest.approx(34.0)


def test_a_run_without_a_checkpoint_begins_anew() -> None:
    anew = ev.Resumed(time=200.0, run="/runs/r", epoch=1, step=0)
    now = shown(STARTED, TRAINING, step(5), epoch(1, 0.6, best=True), anew)
    assert (now.epoch, now.steps_done, now.losses, now.epochs, now.best) == (0, 0, (), (), None)
    assert now.log[-1].text == "begins anew: there is no checkpoint"


def test_a_resumed_epoch_tells_the_pace_by_the_steps_that_were_timed() -> None:
    """Seven of its ten steps were done by this trainer, and an earlier pause was not in its time."""
    before: list[ev.AnyEvent] = [STARTED, TRAINING, ev.Paused(), ev.Continued(seconds=500.0)]
    ended = msgspec.structs.replace(epoch(2, 0.7, True), seconds=14.0)
    now = shown(*before, RESUMED, STARTED, TRAINING, step(20), ended)
    assert now.seconds_left == pytest.approx(40.0)


def test_a_run_of_which_only_the_evaluation_is_left_is_in_its_last_epoch() -> None:
    resumed = ev.Resumed(run="/runs/r", epoch=5, step=40)
    assert shown(STARTED, TRAINING, epoch(4, 0.6, True), resumed, STARTED, TRAINING).epoch == 4


def test_a_resumed_run_that_failed_before_it_trained_keeps_its_results() -> None:
    """Its pictures were gone: the model of its first end is still there, and so is what it came to."""
    ended = ev.RunEnded(
        run="r",
        model="m",
        seconds=1,
        images_per_second=1,
        epochs=2,
        best_epoch=1,
        validation=ev.Accuracy(accuracy=0.5),
        test=ev.Interval(accuracy=0.5, low=0.4, high=0.6, n=10),
    )
    before: list[ev.AnyEvent] = [STARTED, TRAINING, step(13), ended, RESUMED, STARTED]
    assert shown(*before).ended is None
    for now in (shown(*before, FAILED), shown(*before, FAILED, RESUMED, STARTED, FAILED)):
        assert (now.state, now.failed, now.ended) == ("failed", FAILED, ended)
    assert shown(*before, alive=False).ended == ended
    assert shown(*before, TRAINING, FAILED).ended is None
