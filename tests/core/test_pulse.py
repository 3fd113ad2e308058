"""The pulse on sequences of numbers: what is said of each kind of trouble, and when nothing is."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec
import pytest

from core.runs import events as ev
from core.training.pulse import Guess, PulseWatch, watched
from tests.core.test_snapshot import STARTED

LN2 = math.log(2)
PER_EPOCH = 100


def begun(
    train: Sequence[int] = (800, 800), rate: float = 1e-3, epochs: int = 10, batch: int = 16
) -> list[ev.AnyEvent]:
    """Return what a run says before its first step; the recipe's rate is 1e-3."""
    names = [f"class {k}" for k in range(len(train))]
    parts = [200 for _ in train]
    return [
        msgspec.structs.replace(STARTED, epochs=epochs),
        ev.DatasetReady(
            classes=names,
            train=[*train],
            validation=parts,
            test=parts,
            left_out=0,
            duplicates=0,
            channels=1,
            stored_size=48,
            split_hash="",
        ),
        ev.TrainingStarted(
            image_size=64,
            batch_size=batch,
            steps_per_epoch=PER_EPOCH,
            learning_rate=rate,
            usual_learning_rate=1e-3,
            parameters=1,
            tier="disk",
        ),
    ]


def step(number: int, loss: float, accuracy: float = 0.5, waiting: float = 0.0) -> ev.Step:
    return ev.Step(
        epoch=(number - 1) // PER_EPOCH + 1,
        step=number,
        loss=loss,
        accuracy=accuracy,
        learning_rate=1e-3,
        images_per_second=100.0,
        waiting=waiting,
    )


def epoch(
    number: int,
    loss: float,
    accuracy: float = 0.5,
    validation: tuple[float, float] | None = None,
    predicted: Sequence[int] = (210, 190),
    dead: float = 0.2,
) -> ev.EpochEnded:
    validation = validation or (loss, accuracy)
    return ev.EpochEnded(
        epoch=number,
        step=number * PER_EPOCH,
        loss=loss,
        accuracy=accuracy,
        validation_loss=validation[0],
        validation_accuracy=validation[1],
        images_per_second=100.0,
        seconds=1.0,
        best=False,
        best_accuracy=0.0,
        predicted=[*predicted],
        dead=dead,
    )


def whole(number: int, loss: float, accuracy: float = 0.5, noise: float = 0.05) -> list[ev.Step]:
    """Return the steps of an epoch about a loss and an accuracy, the same noise each time."""
    draw = random.Random(number)
    return [
        step(
            (number - 1) * PER_EPOCH + i + 1,
            max(loss + draw.gauss(0, noise), 0.0),
            min(max(accuracy + draw.gauss(0, noise), 0.0), 1.0),
        )
        for i in range(PER_EPOCH)
    ]


def said(*parts: Sequence[ev.Event] | ev.Event) -> list[ev.Pulse]:
    """Return what the pulse says of the events of `parts` after one another."""
    watch = PulseWatch()
    events = [e for part in parts for e in ([part] if isinstance(part, ev.Event) else part)]
    return [pulse for event in events if (pulse := watch.judge(event)) is not None]


def kinds(*parts: Sequence[ev.Event] | ev.Event) -> list[str]:
    return [pulse.kind for pulse in said(*parts)]


def healthy(epochs: int) -> list[ev.AnyEvent]:
    events: list[ev.AnyEvent] = []
    for n in range(1, epochs + 1):
        loss, right = LN2 * math.exp(-0.3 * (n - 1)), min(0.55 + 0.06 * n, 0.97)
        events += [*whole(n, loss, right), epoch(n, loss, right)]
    return events


def test_a_healthy_run_is_told_to_learn_once_and_nothing_else() -> None:
    (pulse,) = said(begun(), healthy(10))
    assert (pulse.kind, pulse.level) == ("learning", "good")


def test_nothing_is_said_before_there_is_anything_to_say() -> None:
    assert said(begun(), whole(1, LN2), epoch(1, LN2)) == []


def test_a_rate_far_too_high_is_told_at_the_look_where_the_loss_explodes() -> None:
    (pulse,) = said(begun(rate=0.03), step(1, LN2), step(2, 380.0))
    assert pulse.kind == "diverged" and "380" in pulse.text and "0.693" in pulse.text
    # The recipe's rate is the advice.
    assert "0.001" in pulse.hint


def test_a_loss_that_explodes_between_two_looks_is_told_too() -> None:
    # On a quick machine a look is the mean of hundreds of steps.
    brief = msgspec.structs.replace(step(400, 0.8), highest=380.0)
    (pulse,) = said(begun(rate=0.03), step(1, LN2), brief)
    assert pulse.kind == "diverged" and "380" in pulse.text
    # One picture may be as wrong as that where all is well.
    assert said(begun(rate=0.03, batch=4), step(1, LN2), brief) == []
    assert kinds(begun(rate=0.03, batch=4), step(1, 380.0)) == ["diverged"]


def test_a_run_that_recovers_is_told_to_learn() -> None:
    recovered = [step(i, 0.3, 0.9) for i in range(2, 100)]
    assert kinds(begun(rate=0.03), step(1, 50.0), recovered) == ["diverged", "learning"]


def test_a_run_stuck_at_guessing_is_told_with_what_guessing_is() -> None:
    events = [[*whole(n, LN2), epoch(n, LN2)] for n in range(1, 5)]
    (pulse,) = said(begun(), *events)
    assert pulse.kind == "stuck" and "0.69" in pulse.text and "2 classes (ln 2)" in pulse.text


@pytest.mark.parametrize(("rate", "word"), [(0.03, "lower"), (1e-5, "higher")])
def test_the_advice_to_a_stuck_run_goes_by_its_learning_rate(rate: float, word: str) -> None:
    events = [[*whole(n, LN2), epoch(n, LN2)] for n in range(1, 5)]
    (pulse,) = said(begun(rate=rate), *events)
    assert f"{word} learning rate: 0.001" in pulse.hint


def test_a_long_run_is_not_judged_by_its_first_moments() -> None:
    events = [[*whole(n, LN2), epoch(n, LN2)] for n in range(1, 10)]
    assert said(begun(epochs=1000), *events) == []


def test_a_loss_that_hardly_falls_at_a_low_rate_is_told() -> None:
    events = [
        [*whole(n, LN2 - 0.002 * n, 0.53), epoch(n, 0.68 - 0.002 * n, 0.57)] for n in range(1, 5)
    ]
    (pulse,) = said(begun(rate=1e-5), *events)
    assert pulse.kind == "slow" and "higher learning rate: 0.001" in pulse.hint


def test_uneven_classes_are_measured_against_their_shares() -> None:
    assert Guess([900, 100]).loss == pytest.approx(0.325, abs=1e-3)
    assert Guess([900, 100]).right == 0.9
    # Nine of ten right is what guessing gives there, and no sign of learning.
    assert kinds(begun((1440, 160)), whole(1, 0.325, 0.9, 0.01)) == []


def test_one_answer_to_everything_is_told_with_its_name() -> None:
    events = [[*whole(n, LN2), epoch(n, 0.68, 0.6, predicted=(0, 400))] for n in range(1, 4)]
    (pulse,) = said(begun(), *events)
    assert pulse.kind == "one-class" and "All 400" in pulse.text and "class 1" in pulse.text


def test_one_answer_in_the_first_epochs_alone_is_no_collapse() -> None:
    collapsed = epoch(1, 0.69, 0.5, predicted=(400, 0))
    later = [[*whole(n, 0.5, 0.8), epoch(n, 0.5, 0.8)] for n in range(2, 6)]
    assert kinds(begun(), whole(1, 0.69), collapsed, *later) == ["learning"]


def test_dead_units_are_told() -> None:
    (pulse,) = said(begun(rate=0.03), whole(1, LN2), epoch(1, LN2, dead=1.0))
    assert pulse.kind == "dead-units" and "100 %" in pulse.text


def test_over_fitting_is_told_with_the_epoch_that_is_kept() -> None:
    events: list[ev.AnyEvent] = []
    for n in range(1, 9):
        loss = 0.6 * 0.8**n
        validation = (0.5 + 0.06 * abs(n - 3), 0.80 - 0.01 * abs(n - 3))
        events += [*whole(n, loss, 0.9, 0.02), epoch(n, loss, 0.9, validation)]
    pulses = said(begun(), events)
    assert [pulse.kind for pulse in pulses] == ["learning", "over-fitting"]
    assert "epoch 3" in pulses[1].text


def test_a_validation_that_still_gets_better_is_not_over_fitted() -> None:
    events: list[ev.AnyEvent] = []
    for n in range(1, 9):
        # Surer of its few mistakes, and right more often.
        validation = (0.5 + 0.06 * abs(n - 3), 0.7 + 0.02 * n)
        loss = 0.6 * 0.8**n
        events += [*whole(n, loss, 0.9, 0.02), epoch(n, loss, 0.9, validation)]
    assert kinds(begun(), events) == ["learning"]


def test_a_spike_is_told_and_then_that_it_is_over() -> None:
    run = healthy(4)
    last = 4 * PER_EPOCH
    after = [step(last + 1, 3.0, 0.5), step(last + 2, 0.25, 0.9), step(last + 3, 0.25, 0.9)]
    pulses = said(begun(), run, after)
    assert [pulse.kind for pulse in pulses] == ["learning", "spike", "learning"]
    assert f"3 at step {last + 1}" in pulses[1].text


def test_waiting_for_batches_is_told_when_it_lasts() -> None:
    learning = [step(i, 0.3, 0.9, waiting=0.9) for i in range(1, 60)]
    freed = [step(i, 0.3, 0.9, waiting=0.1) for i in range(60, 100)]
    assert kinds(begun(), learning, freed) == ["learning", "loader-bound", "learning"]
    now_and_then = [step(i, 0.3, 0.9, waiting=0.9 * (i % 3 == 0)) for i in range(1, 60)]
    assert kinds(begun(), now_and_then) == ["learning"]


def test_a_class_name_from_outside_cannot_steer_the_terminal() -> None:
    named = begun()
    named[1] = msgspec.structs.replace(named[1], classes=["a\x1b[2Jb", "c"])
    events = [[*whole(n, LN2), epoch(n, 0.68, 0.6, predicted=(400, 0))] for n in range(1, 4)]
    (pulse,) = said(named, *events)
    assert "\x1b" not in pulse.text and "\\x1b" in pulse.text


def test_the_pulse_is_said_after_the_event_that_changed_it() -> None:
    heard: list[ev.Event] = []
    say = watched(heard.append)
    for event in [*begun(), step(1, 380.0)]:
        say(event)
    assert [type(event).__name__ for event in heard[-2:]] == ["Step", "Pulse"]


def test_half_of_a_log_is_judged_by_nothing_that_is_not_there() -> None:
    assert said(step(1, 380.0), epoch(1, 380.0)) == []


def test_a_short_run_that_learns_nothing_is_told_so_without_alarm() -> None:
    (pulse,) = said(begun(epochs=1), whole(1, LN2)[:70], epoch(1, LN2, predicted=(0, 400)))
    assert (pulse.kind, pulse.level) == ("stuck", "info")
    assert "70 steps" in pulse.text and "more epochs" in pulse.hint


def test_a_rough_start_is_no_divergence() -> None:
    # Single batches of healthy runs were seen at 2.7.
    assert said(begun(), [step(1, LN2), step(2, 2.7, 0.45), step(3, 1.1), step(4, LN2)]) == []


def test_a_resumed_run_is_measured_by_what_its_first_trainer_said() -> None:
    """A trainer that goes on does not say again what the pictures are."""
    started, _, training = begun()
    past = [*begun(), *(e for e in healthy(3) if not isinstance(e, ev.Step))]
    heard: list[ev.Event] = []
    say = watched(heard.append, [*past, ev.Resumed(run="r", epoch=3, step=250)])
    for event in (started, training, *healthy(10)[2 * (PER_EPOCH + 1) + 50 :]):
        say(event)
    assert [event.kind for event in heard if isinstance(event, ev.Pulse)] == ["learning"]


def test_a_resumed_run_remembers_its_epochs_but_those_that_are_done_again() -> None:
    over = [epoch(n, 0.6 * 0.8**n, 0.9, (0.5 + 0.06 * n, 0.8 - 0.01 * n)) for n in range(1, 9)]
    watch = PulseWatch()
    for event in [*begun(), *over, ev.Resumed(run="r", epoch=4, step=3 * PER_EPOCH), *begun()]:
        watch.judge(event)
    pulses = [watch.judge(event) for event in [*whole(4, 0.3, 0.9, 0.02), *over[3:5]]]
    said = [pulse.kind for pulse in pulses if pulse is not None]
    assert said == ["learning", "over-fitting"]
