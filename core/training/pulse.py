"""Notices a run that is not learning, and says why: a pure function of the run's own events.

Everything is measured against guessing: the entropy of the class shares, ln K for K even classes, is the
loss of a model that has learned nothing but how frequent each class is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from core.runs import events as ev
from core.text import safe_text

# What is said when several hold; the first is the gravest.
GRAVEST_FIRST: tuple[ev.PulseKind, ...] = (
    "diverged",
    "dead-units",
    "one-class",
    "stuck",
    "slow",
    "spike",
    "over-fitting",
    "loader-bound",
    "learning",
)
# A loss so many times that of guessing, and so many nats more. Healthy runs begin with up to 4 times on
# a single batch; the recipe's learning rate times 30 gives 30 to 500 times.
DIVERGED_FACTOR, DIVERGED_NATS = 4.0, 3.0
# Batches of fewer pictures have high losses by chance: there the mean of several has to be so high.
TELLING_BATCH = 16
# Losses in units of that of guessing.
LEARNED = 0.97
STUCK = 0.985
SLOW_FALL = 0.05
# Standard errors by which an accuracy must beat guessing.
SURE = 3.0
# Pictures over which the accuracy of the steps is judged.
WINDOW_PICTURES = 1024
# Looks before a loss counts as usual, the spread beyond which it is a spike, and the least rise.
SPIKE_LOOKS, SPIKE_SPREADS, SPIKE_RISE, SPIKE_FACTOR = 12, 8.0, 0.5, 2.0
# Epochs in a row without any sign of learning, and the share of the run by which that counts: twice
# the recipe's warm-up. Healthy runs on few pictures take 60 to 100 steps to begin.
STUCK_EPOCHS, STUCK_SHARE = 3, 0.1
LEAST_STEPS, LEAST_STEPS_AT_UNUSUAL_RATE = 300, 60
DEAD = 0.98
# The validation loss has risen by a tenth over its lowest, which was so many epochs ago.
OVERFIT_EPOCHS, OVERFIT_RISE, OVERFIT_FALL = 3, 1.1, 0.9
LOADER_LOOKS, LOADER_BOUND, LOADER_FREE = 20, 0.6, 0.5
# A rate that differs from the recipe's by less is not what is wrong.
UNUSUAL = 3.0


def watched(
    say: Callable[[ev.Event], None], past: Iterable[ev.Event] = ()
) -> Callable[[ev.Event], None]:
    """Return `say` with the pulse said after each event that changes it.

    `past` is what earlier trainers of the run have said, with or without its steps.
    """
    watch = PulseWatch()
    for event in past:
        watch.judge(event)

    def say_with_pulse(event: ev.Event) -> None:
        say(event)
        pulse = watch.judge(event)
        if pulse is not None:
            say(pulse)

    return say_with_pulse


class PulseWatch:
    """Judges the events of one run in their order."""

    def __init__(self) -> None:
        self._epochs_planned = 0
        self._classes: list[str] = []
        self._guess = Guess([1])
        self._training: ev.TrainingStarted | None = None
        self._holds: dict[ev.PulseKind, ev.Pulse] = {}
        self._said: ev.PulseKind | None = None
        self._step = 0
        self._looks: deque[tuple[int, ev.Step]] = deque()
        self._usual = Usual()
        self._waits: deque[float] = deque(maxlen=LOADER_LOOKS)
        self._epochs: list[ev.EpochEnded] = []

    def judge(self, event: ev.Event) -> ev.Pulse | None:
        """Return the pulse after `event` where it is of another kind than before."""
        match event:
            case ev.RunStarted():
                self._epochs_planned = event.epochs
            case ev.DatasetReady():
                self._classes, self._guess = event.classes, Guess(event.train)
            case ev.TrainingStarted():
                self._training = event
            case ev.Resumed():
                self._go_on(event)
            case ev.Step() if self._training is not None and self._classes:
                self._judge_step(event)
            case ev.EpochEnded() if self._training is not None and self._classes:
                self._judge_epoch(event)
        kind = next((kind for kind in GRAVEST_FIRST if kind in self._holds), None)
        if kind is None or kind == self._said:
            return None
        self._said = kind
        return msgspec.structs.replace(self._holds[kind], time=event.time)

    def _go_on(self, event: ev.Resumed) -> None:
        """Forget what is done again; how it goes now shows anew."""
        self._epochs = [epoch for epoch in self._epochs if epoch.epoch < event.epoch]
        self._step, self._usual = event.step, Usual()
        self._said = None
        for gone in (self._holds, self._looks, self._waits):
            gone.clear()

    def _judge_step(self, step: ev.Step) -> None:
        self._remember(step)
        guess = self._guess.loss
        far = DIVERGED_FACTOR * guess + DIVERGED_NATS
        if (highest := self._highest(step)) > far and "learning" not in self._holds:
            text = f"The loss rose to {highest:.3g}; guessing gives {guess:.3g}."
            self._hold("diverged", "warning", text, self._lower())
        if self._beats_guessing():
            self._drop("diverged", "stuck", "dead-units", "one-class")
            self._hold("learning", "good", "learning")
        self._judge_spike(step)
        self._judge_waiting(step)

    def _highest(self, step: ev.Step) -> float:
        """Return the highest loss among those that a look is the mean of, as far as it tells anything."""
        assert self._training is not None
        single = self._training.batch_size >= TELLING_BATCH
        return max(step.loss, step.highest) if single else step.loss

    def _remember(self, step: ev.Step) -> None:
        """Keep the looks of the last `WINDOW_PICTURES` pictures."""
        assert self._training is not None
        pictures = max(step.step - self._step, 1) * self._training.batch_size
        self._step = step.step
        self._looks.append((pictures, step))
        while sum(n for n, _ in self._looks) - self._looks[0][0] >= WINDOW_PICTURES:
            self._looks.popleft()

    def _beats_guessing(self) -> bool:
        n = sum(pictures for pictures, _ in self._looks)
        loss = sum(pictures * step.loss for pictures, step in self._looks) / n
        right = sum(pictures * step.accuracy for pictures, step in self._looks) / n
        return loss < LEARNED * self._guess.loss and right > self._guess.beaten_by(n)

    def _judge_spike(self, step: ev.Step) -> None:
        if "learning" not in self._holds:
            return
        if self._usual.is_spike(step.loss, self._guess.loss):
            text = f"The loss jumped to {step.loss:.3g} at step {step.step:,}."
            self._hold("spike", "warning", text, f"If it does not fall again: {self._lower()}")
            return
        self._drop("spike")
        self._usual.add(step.loss)

    def _judge_waiting(self, step: ev.Step) -> None:
        self._waits.append(step.waiting)
        share = sum(self._waits) / len(self._waits)
        if share < LOADER_FREE:
            self._drop("loader-bound")
        elif share > LOADER_BOUND and len(self._waits) == LOADER_LOOKS:
            text = f"{share:.0%} of the time goes into getting batches ready.".replace("%", " %")
            hint = "Train on more cores, on a quicker disk, or with less augmentation."
            self._hold("loader-bound", "warning", text, hint)

    def _judge_epoch(self, epoch: ev.EpochEnded) -> None:
        self._epochs.append(epoch)
        dead = "learning" not in self._holds and epoch.dead > DEAD
        if dead:
            share = f"{epoch.dead * 100:.0f} %"
            text = f"{share} of a layer's units are dead: no picture excites them."
            self._hold("dead-units", "warning", text, self._lower())
        self._judge_answers(epoch)
        self._judge_fall(epoch)
        self._judge_fit(epoch)

    def _judge_answers(self, epoch: ev.EpochEnded) -> None:
        """Look whether validation is answered with one class, again and again."""
        recent = self._epochs[-STUCK_EPOCHS:]
        if self._is_long(recent) and all(_is_one_class(e) for e in recent):
            name = safe_text(self._classes[epoch.predicted.index(max(epoch.predicted))], 40)
            text = f"All {sum(epoch.predicted):,} validation pictures are answered “{name}”."
            self._hold("one-class", "warning", text, self._change())
        elif not _is_one_class(epoch):
            self._drop("one-class")

    def _judge_fall(self, epoch: ev.EpochEnded) -> None:
        """Look whether the loss falls, and fast enough."""
        recent, guess = self._epochs[-STUCK_EPOCHS:], self._guess.loss
        long = self._is_long(recent)
        fall = (self._epochs[0].loss - epoch.loss) / guess
        slow = self._rate_factor() < 1 / UNUSUAL and fall < SLOW_FALL and epoch.loss > 0.9 * guess
        if long and all(self._has_not_learned(e) for e in recent):
            text = f"Stuck at a loss of {epoch.loss:.2f}: {self._guess.words} gives as much."
            self._hold("stuck", "warning", text, self._change())
        elif long and slow:
            text = f"The loss hardly falls: {epoch.loss:.3f} after {self._epochs[0].loss:.3f}."
            self._hold("slow", "warning", text, self._change())
        elif epoch.epoch == self._epochs_planned and "learning" not in self._holds:
            text = f"No better than guessing after {self._step:,} steps."
            self._hold("stuck", "info", text, "Give it more epochs, or more pictures.")
        else:
            self._drop("stuck", "slow")

    def _judge_fit(self, epoch: ev.EpochEnded) -> None:
        """Look whether training goes on to get better at the cost of validation."""
        lowest = min(self._epochs, key=lambda e: e.validation_loss)
        since = [e for e in self._epochs if e.epoch > lowest.epoch]
        risen = epoch.validation_loss > OVERFIT_RISE * lowest.validation_loss
        fallen = epoch.loss < OVERFIT_FALL * lowest.loss
        best = max(self._epochs, key=lambda e: e.validation_accuracy)
        no_better = epoch.epoch - best.epoch >= OVERFIT_EPOCHS
        if len(since) >= OVERFIT_EPOCHS and risen and fallen and no_better:
            text = f"Over-fitting: validation was best at epoch {best.epoch}, which is kept."
            hint = "Stopping loses nothing; more pictures or --augment strong may help."
            self._hold("over-fitting", "warning", text, hint)
        else:
            self._drop("over-fitting")

    def _is_long(self, recent: list[ev.EpochEnded]) -> bool:
        """Tell whether enough was trained for a lack of learning to mean something."""
        unusual = not 1 / UNUSUAL <= self._rate_factor() <= UNUSUAL
        steps = LEAST_STEPS_AT_UNUSUAL_RATE if unusual else LEAST_STEPS
        done = len(self._epochs) >= STUCK_SHARE * self._epochs_planned
        return len(recent) == STUCK_EPOCHS and self._step >= steps and done

    def _has_not_learned(self, epoch: ev.EpochEnded) -> bool:
        none_right = epoch.accuracy <= self._guess.beaten_by(self._guess.pictures)
        least = STUCK * self._guess.loss
        return none_right and epoch.loss > least and epoch.validation_loss > least

    def _rate_factor(self) -> float:
        """Return the learning rate in units of the recipe's, 1 where that is not known."""
        assert self._training is not None
        usual = self._training.usual_learning_rate
        return self._training.learning_rate / usual if usual else 1.0

    def _lower(self) -> str:
        """Return the advice to train with a lower rate, the recipe's if that is lower."""
        assert self._training is not None
        usual, rate = self._training.usual_learning_rate, self._training.learning_rate
        better = usual if self._rate_factor() > 1.5 else rate / 10
        return f"Train again with a lower learning rate: {better:.2g}."

    def _change(self) -> str:
        """Return what to change where nothing is learned: the rate if it is unusual."""
        if self._rate_factor() > UNUSUAL:
            return self._lower()
        if self._rate_factor() < 1 / UNUSUAL:
            assert self._training is not None
            return f"Train with a higher learning rate: {self._training.usual_learning_rate:.2g}."
        return "See that the classes can be told apart; else try another --seed or a lower rate."

    def _hold(self, kind: ev.PulseKind, level: ev.PulseLevel, text: str, hint: str = "") -> None:
        self._holds[kind] = ev.Pulse(level=level, kind=kind, text=text, hint=hint)

    def _drop(self, *kinds: ev.PulseKind) -> None:
        for kind in kinds:
            self._holds.pop(kind, None)


class Guess:
    """What guessing by the class shares gives: its loss in nats, and how many are right."""

    def __init__(self, counts: Iterable[int]) -> None:
        counts = [n for n in counts if n]
        self.pictures = sum(counts)
        shares = [n / self.pictures for n in counts]
        self.loss = max(-sum(p * math.log(p) for p in shares), 1e-3)
        self.right = max(shares)
        even = self.loss > 0.99 * math.log(max(len(counts), 2))
        among = f"guessing among {len(counts)} classes"
        self.words = f"{among} (ln {len(counts)})" if even else f"{among} by their shares"

    def beaten_by(self, pictures: int) -> float:
        """Return the accuracy on `pictures` pictures that cannot well be luck."""
        luck = math.sqrt(self.right * (1 - self.right) / max(pictures, 1))
        return self.right + SURE * luck


class Usual:
    """What losses are usual of late: their exponential mean and spread."""

    def __init__(self) -> None:
        self._mean = self._square = 0.0
        self._count = 0

    def add(self, loss: float) -> None:
        self._count += 1
        weight = max(1 / self._count, 2 / (SPIKE_LOOKS + 1))
        self._mean += weight * (loss - self._mean)
        self._square += weight * (loss * loss - self._square)

    def is_spike(self, loss: float, guess: float) -> bool:
        """Tell whether `loss` lies far out, by the spread and by the loss of guessing."""
        if self._count < SPIKE_LOOKS:
            return False
        spread = math.sqrt(max(self._square - self._mean**2, 0.0))
        least = max(SPIKE_FACTOR * self._mean, self._mean + SPIKE_RISE * guess)
        return loss > least and loss > self._mean + SPIKE_SPREADS * spread


def _is_one_class(epoch: ev.EpochEnded) -> bool:
    return len(epoch.predicted) > 1 and max(epoch.predicted) == sum(epoch.predicted) > 0
