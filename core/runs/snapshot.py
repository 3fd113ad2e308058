"""Events folded into what a screen shows: the same events always give the same snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from core.runs import events as ev
from core.runs.curve import Bucket, Curve
from core.text import count, duration, percent, safe_text

State = Literal[
    "prepared",
    "starting",
    "preparing",
    "training",
    "paused",
    "stopping",
    "evaluating",
    "finished",
    "stopped",
    "failed",
    "interrupted",
]
LIVING: frozenset[State] = frozenset(
    {"starting", "preparing", "training", "paused", "stopping", "evaluating"}
)
# A trainer looks for orders until it has trained: a test is not paused, nor stopped half way.
OBEYING = LIVING - {"stopping", "evaluating"}
Level = Literal["info", "good", "warning", "error"]
STAGES = {
    "scan": "looking through the pictures",
    "decode": "decoding the pictures",
    "load": "loading the pictures",
    "certify": "checking the saved model",
}
STOPS = {
    "stop": "stopped as ordered, after its epoch,",
    "stop-now": "stopped as ordered, at once,",
    "patience": "stopped, since validation got no better,",
    "signal": "stopped by a signal",
    "time": "stopped, since its time is over,",
}
LOG_LINES = 500
# So many epochs tell how long one takes.
PACE_EPOCHS = 5


if TYPE_CHECKING:
    Fields = dict[str, Any]
else:
    # What decoding makes of the fields of a snapshot; by their names one knows which are which.
    Fields = dict[str, ev.AnyEvent | int | str]


def _closeness(difference: float) -> str:
    return f"within {difference:.0e}" if difference else "equal to the last bit"


class LogLine(NamedTuple):
    """A line of the run's log: when, how grave, what."""

    time: float
    level: Level
    text: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that a screen shows of a run at one moment."""

    run: str = ""
    state: State = "starting"
    started: ev.RunStarted | None = None
    preparing: ev.Preparing | None = None
    dataset: ev.DatasetReady | None = None
    training: ev.TrainingStarted | None = None
    step: ev.Step | None = None
    losses: tuple[Bucket, ...] = ()
    accuracies: tuple[Bucket, ...] = ()
    validation_losses: tuple[Bucket, ...] = ()
    validation_accuracies: tuple[Bucket, ...] = ()
    epochs: tuple[ev.EpochEnded, ...] = ()
    best: ev.EpochEnded | None = None
    saved: ev.Saved | None = None
    # A run that is resumed goes on from here; 0 where it would begin anew.
    saved_step: int = 0
    evaluated: ev.Evaluated | None = None
    certified: ev.Certified | None = None
    ended: ev.RunEnded | None = None
    failed: ev.RunFailed | None = None
    pulse: ev.Pulse | None = None
    log: tuple[LogLine, ...] = ()
    # Warnings and errors, which no number of lesser lines pushes out.
    grave: tuple[LogLine, ...] = ()
    epochs_planned: int = 0
    epoch: int = 0
    steps_done: int = 0
    steps_planned: int = 0
    seconds_left: float | None = None

    @property
    def fraction(self) -> float:
        """How much of all planned steps is done, 0 to 1."""
        return self.steps_done / self.steps_planned if self.steps_planned else 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps an epoch, 1 while it is not known; a run that is resumed has not forgotten."""
        return max(self.steps_planned // max(self.epochs_planned, 1), 1)

    @property
    def epoch_fraction(self) -> float:
        """How much of the current epoch is done, 0 to 1."""
        if self.training is None or not self.epoch:
            return 0.0
        before = (self.epoch - 1) * self.training.steps_per_epoch
        return min(max((self.steps_done - before) / self.training.steps_per_epoch, 0.0), 1.0)

    @property
    def probes(self) -> tuple[ev.Probe, ...]:
        """The newest answers on the probe pictures."""
        return tuple(self.epochs[-1].probes) if self.epochs else ()


class RunView(msgspec.Struct):
    """Folds events, however many at a time; `snapshot` gives what they add up to.

    It can be encoded and decoded: what comes back goes on as if it had folded all that itself.
    """

    _fields: Fields = msgspec.field(default_factory=lambda: {"state": "starting"})
    _losses: Curve = msgspec.field(default_factory=Curve)
    _accuracies: Curve = msgspec.field(default_factory=Curve)
    _validation_losses: Curve = msgspec.field(default_factory=Curve)
    _validation_accuracies: Curve = msgspec.field(default_factory=Curve)
    _epochs: list[ev.EpochEnded] = []
    _log: list[LogLine] = []
    _grave: dict[Level, list[LogLine]] = msgspec.field(
        default_factory=lambda: {"warning": [], "error": []}
    )
    # Seconds a step in the last epochs of this trainer.
    _paces: list[float] = []
    _paused_in_epoch: float = 0.0
    _paused_seconds: float = 0.0
    # When this trainer began, and what earlier ones of this run have trained.
    _began: float | None = None
    _seconds_before: float = 0.0
    _last_time: float = 0.0
    # Steps that an earlier trainer had done; they say nothing of this one's pace.
    _steps_before: int = 0
    # What an earlier trainer had come to, which stands until this one trains.
    _earlier: Fields = {}

    def apply(self, events: Iterable[ev.AnyEvent]) -> None:
        """Fold `events` in, in the order in which the run wrote them."""
        for kind, group in groupby(events, type):
            if kind is ev.Step:
                self._apply_steps(list(group))
                continue
            for event in group:
                self._last_time = event.time
                if isinstance(event, ev.EpochEnded):
                    self._apply_validation(event)
                self._apply_rare(event)

    @property
    def ended(self) -> bool:
        """Whether the run has ended, by its own word."""
        return self._fields["state"] in ("finished", "stopped", "failed")

    def snapshot(self, alive: bool = True, awaited: bool = False) -> Snapshot:
        """Return what the events so far add up to.

        `alive` tells whether the trainer still runs, `awaited` that it is yet to be started by a launcher.
        """
        fields = dict(self._fields)
        if not alive and fields["state"] in LIVING:
            fields["state"] = "prepared" if awaited else "interrupted"
        if fields["state"] in ("failed", "interrupted"):
            fields = self._earlier | fields
        return Snapshot(
            **fields,
            losses=self._losses.buckets(),
            accuracies=self._accuracies.buckets(),
            validation_losses=self._validation_losses.buckets(),
            validation_accuracies=self._validation_accuracies.buckets(),
            epochs=tuple(self._epochs),
            log=tuple(self._log),
            grave=tuple(sorted(chain(*self._grave.values()), key=lambda line: line.time)),
            seconds_left=self._seconds_left() if alive else None,
        )

    def _apply_steps(self, events: list[Any]) -> None:
        """Fold neighbouring `ev.Step`s at once: a log holds millions of them."""
        last = events[-1]
        zero = self._zero(events[0])

        def where(index: int) -> tuple[float, float]:
            return events[index].step, events[index].time - zero

        self._losses.extend(where, [event.loss for event in events])
        self._accuracies.extend(where, [event.accuracy for event in events])
        self._fields.update(state="training", step=last, epoch=last.epoch, steps_done=last.step)
        self._last_time = last.time

    def _apply_validation(self, event: ev.EpochEnded) -> None:
        seconds = event.time - self._zero(event)
        self._validation_losses.add(event.step, seconds, event.validation_loss)
        self._validation_accuracies.add(event.step, seconds, event.validation_accuracy)

    def _zero(self, event: ev.Event) -> float:
        """Return when training would have begun if it had never waited; `event` is of the training."""
        if self._began is None:
            self._began = event.time
        return self._began + self._paused_seconds - self._seconds_before

    def _apply_rare(self, event: ev.AnyEvent) -> None:
        fields = self._fields
        match event:
            case ev.RunStarted():
                where = f"{event.device_name}, {event.precision}"
                fields.update(
                    state="preparing",
                    run=event.run,
                    started=event,
                    epochs_planned=event.epochs,
                )
                self._say(event, "info", f"training on {where}")
            case ev.Preparing():
                fields["preparing"] = event
                if event.stage == "certify":
                    fields["state"] = "evaluating"
            case ev.Note():
                self._say(event, event.level, event.text)
            case ev.LeftOut():
                self._say(event, "warning", f"left out {event.path}: {event.reason}")
            case ev.DatasetReady():
                fields["dataset"] = event
                parts = f"{sum(event.train):,} train, {sum(event.validation):,} validation"
                self._say(event, "info", f"{parts}, {sum(event.test):,} test pictures")
                if event.leaked and not event.dealt:
                    copies = event.duplicates + event.near_copies
                    said = f"{copies:,} copies are kept on one side; dealt one by one, {event.leaked:,}"
                    self._say(event, "info", f"{said} test pictures would have had one in training")
            case ev.TrainingStarted():
                planned = event.steps_per_epoch * fields.get("epochs_planned", 0)
                epoch = self._steps_before // event.steps_per_epoch + 1
                # Where only the evaluation was left, all epochs are done.
                epoch = min(epoch, fields.get("epochs_planned", epoch))
                fields.update(state="training", training=event, steps_planned=planned, epoch=epoch)
                self._began, self._paused_seconds = event.time, 0.0
                self._earlier = {}
                self._seconds_before = self._losses.seconds
            case ev.EpochEnded():
                self._epochs.append(event)
                self._keep_pace(event)
                fields.update(epoch=event.epoch, steps_done=event.step)
                if event.best:
                    fields["best"] = event
            case ev.Pulse():
                before = fields.get("pulse")
                fields["pulse"] = event
                if event.level == "warning":
                    self._say(event, "warning", f"{event.text} {event.hint}".strip())
                elif before is not None:
                    self._say(event, "info", event.text)
            case ev.Saved():
                fields["saved"] = event
                best = fields.get("best")
                score = f", {percent(best.validation_accuracy)} validation" if best else ""
                self._say(event, "good", f"best model saved, epoch {event.epoch}{score}")
            case ev.Checkpointed():
                if fields.get("saved_step", 0) <= self._steps_before:
                    lost = duration(event.at_risk)
                    self._say(event, "info", f"checkpoint saved; a kill now costs {lost} at most")
                fields["saved_step"] = event.step
            case ev.Resumed():
                self._resume(event)
            case ev.Paused():
                fields["state"] = "paused"
                self._say(event, "info", "paused")
            case ev.Continued():
                fields["state"] = "training"
                self._paused_seconds += event.seconds
                self._paused_in_epoch += event.seconds
                self._say(event, "info", f"goes on after a pause of {duration(event.seconds)}")
            case ev.Stopping():
                fields["state"] = "stopping"
                self._say(event, "info", f"{STOPS[event.reason]} in epoch {event.epoch}")
            case ev.Evaluated():
                fields.update(state="evaluating", evaluated=event)
                score = f"{percent(event.accuracy)} of {event.n:,} test pictures are right"
                self._say(
                    event,
                    "good",
                    f"{score} (95 % interval {percent(event.low)} to {percent(event.high)})",
                )
            case ev.Certified():
                fields["certified"] = event
                level: Level = "good" if event.passed else "error"
                self._say(
                    event,
                    level,
                    f"the saved file gives the same label as the trained model on {event.same_label}"
                    f" of {event.n} pictures, confidence {_closeness(event.largest_difference)}",
                )
            case ev.RunEnded():
                stopped = event.epochs < fields.get("epochs_planned", 0)
                fields.update(state="stopped" if stopped else "finished", ended=event)
                self._say(event, "good", f"model written to {event.model}")
            case ev.RunFailed():
                fields.update(state="failed", failed=event)
                self._say(event, "error", f"{event.title} {event.hint}")

    def _resume(self, event: ev.Resumed) -> None:
        """Forget what is done again, that the run had ended, and how fast it was."""
        fields = self._fields
        self._paces.clear()
        self._paused_in_epoch = 0.0
        repeated = max(fields.get("steps_done", 0) - event.step, 0)
        self._epochs = [epoch for epoch in self._epochs if epoch.epoch < event.epoch]
        for curve in (
            *(self._losses, self._accuracies),
            *(self._validation_losses, self._validation_accuracies),
        ):
            curve.cut(event.step)
        results = ("evaluated", "certified", "ended")
        self._earlier |= {name: fields[name] for name in results if name in fields}
        kept = ("run", "started", "dataset", "epochs_planned", "steps_planned", "saved")
        self._fields = {name: fields[name] for name in kept if name in fields}
        if best := [epoch for epoch in self._epochs if epoch.best]:
            self._fields["best"] = best[-1]
        epoch = event.epoch if event.step else 0
        self._fields.update(state="preparing", epoch=epoch, steps_done=event.step)
        self._fields["saved_step"] = self._steps_before = event.step
        again = f"; {count(repeated, 'step')} done again" if repeated else ""
        where = f"goes on at step {event.step:,} of epoch {event.epoch}{again}"
        none = "begins anew: there is no checkpoint"
        self._say(event, "info", where if event.step else none)

    def _keep_pace(self, event: ev.EpochEnded) -> None:
        """Take note of how fast the epoch was: of a resumed one only the steps since then were timed."""
        training: ev.TrainingStarted | None = self._fields.get("training")
        begun = (event.epoch - 1) * training.steps_per_epoch if training else 0
        seconds = max(event.seconds - self._paused_in_epoch, 0.0)
        self._paces.append(seconds / max(event.step - max(begun, self._steps_before), 1))
        del self._paces[:-PACE_EPOCHS]
        self._paused_in_epoch = 0.0

    def _say(self, event: ev.Event, level: Level, text: str) -> None:
        line = LogLine(event.time, level, safe_text(text))
        for lines in (self._log, self._grave.get(level, [])):
            lines.append(line)
            del lines[:-LOG_LINES]

    def _seconds_left(self) -> float | None:
        """Estimate from the pace so far, evaluations included, pauses left out.

        From the second epoch on it is that of the middle one of the last epochs, so that an hour of
        standstill (SIGSTOP, a clock that was set) does not count.
        """
        training: ev.TrainingStarted | None = self._fields.get("training")
        done: int = self._fields.get("steps_done", 0) - self._steps_before
        if training is None or done <= 0 or self._fields["state"] != "training":
            return None
        steps_left: int = self._fields["steps_planned"] - self._fields["steps_done"]
        if self._paces:
            from statistics import median

            return median(self._paces) * steps_left
        worked = self._last_time - training.time - self._paused_seconds
        return max(worked, 0.0) / done * steps_left
