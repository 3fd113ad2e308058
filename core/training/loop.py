"""Epochs and steps, in the order you would say them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.errors import NotANumberError, RunFailedError
from core.evaluation.answers import Answers, answer
from core.runs import events as ev
from core.runs.orders import Order
from core.training.average import Average
from core.training.batches import AUGMENTATIONS, Part
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.dead import observed
from core.training.device import Learn, replayed
from core.training.learner import Learner
from core.training.meter import Meter
from core.training.ranks import ALONE, Ranks
from core.training.recipe import Recipe, learning_rate, make_optimizer, set_learning_rate
from core.training.step import Step

ORDER_SECONDS = 0.2

StopReason = Literal["stop", "stop-now", "patience", "signal", "time"]
Command = Order | Literal["signal", "time"]
Say = Callable[[ev.Event], None]


class Orders(Protocol):
    """Where orders come from: the control file, or a signal."""

    def newest(self) -> Command | None: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that the loop works on."""

    config: TrainConfig
    recipe: Recipe
    model: nn.Module
    copies: float  # that a weight of its folded layer stands for
    weights: Tensor  # how much a picture of each class counts
    train: Part
    validation: Part
    device: torch.device
    precision: str
    probes: Callable[[Answers], list[ev.Probe]]
    ranks: Ranks = ALONE


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the loop came to; the best weights are in the keeper."""

    epochs: int
    images_per_second: float
    # By an order or a signal, so that there is more to be learned.
    stopped: bool = False


def train(job: Job, keeper: BestKeeper, orders: Orders, saver: Saver, say: Say) -> Trained:
    """Train, from where the saver's checkpoint stands, until the planned epochs are done, patience is out,
    or a stop is ordered.

    Raises:
        NotANumberError: the loss is not a number any more.
    """
    optimizer = make_optimizer(job.model, job.recipe, job.copies)
    scaler = torch.amp.GradScaler(job.device.type, enabled=job.precision == "fp16")
    ranks, meter = job.ranks, job.ranks.meter(job.device)
    average = Average(job.model, job.recipe.steps)
    learner = Learner(
        model=job.model,
        average=average.model,
        optimizer=optimizer,
        scaler=scaler,
        meter=meter,
        keeper=keeper,
    )
    how = AUGMENTATIONS[job.config.augment]
    step, rate = saver.start(learner), 0.0
    network, orders = ranks.wrap(job.model), ranks.orders(orders)
    learn: Learn = Step(
        *(network, optimizer, scaler, job.precision, job.weights, ranks),
        on_split=lambda parts: say(ev.Note(level="warning", text=_in_parts(parts))),
    )
    if ranks is ALONE:
        learn = replayed(learn, job.recipe.steps - step, job.device, job.precision)
    stop: StopReason | None = None
    before, done = divmod(step, job.recipe.steps_per_epoch)
    epoch = before
    for epoch in range(before + 1, job.config.epochs + 1):
        began = time.monotonic()
        images_before, seconds_before = meter.images, meter.seconds
        job.model.train()
        batches = job.train.shuffled(
            job.recipe.batch_size, how, job.config.seed, epoch, done, ranks.share
        )
        for batch in meter.timed(batches):
            stop = _obey(orders, meter, say) or stop
            if stop in ("stop-now", "signal"):
                if step == 0:
                    raise stopped_early()
                # Before the epoch is cut short: who resumes goes on as if nothing had been.
                saver.save(learner, step)
                break
            saver.tick(learner, step)
            rate = learning_rate(job.recipe, step)
            set_learning_rate(optimizer, rate)
            ranks.seed(job.config.seed, step)
            logits = learn(batch.images, batch.labels, batch.whole)
            step += 1
            average.update(step)
            meter.add(logits, batch.labels, batch.whole)
            if meter.due():
                _report(meter, epoch, step, rate, say)
        done = 0
        _report(meter, epoch, step, rate, say)
        if stop in ("stop-now", "signal") and keeper.epoch:
            epoch -= 1
            break
        images, seconds = meter.images - images_before, meter.seconds - seconds_before
        if ranks.leads:
            pace = images / max(seconds, 1e-9)
            _end_epoch(job, average.model, keeper, meter, epoch, step, pace, began, say)
        else:
            meter.end_epoch()
        ranks.follow(keeper)
        stop = stop or _obey(orders, meter, say) or _out_of_patience(job, keeper, epoch)
        if stop:
            saver.save(learner, step)
            break
    early = stop is not None and epoch < job.config.epochs
    if stop and early:
        say(ev.Stopping(reason=stop, epoch=max(epoch, 1)))
    return Trained(
        epochs=epoch,
        images_per_second=meter.images / max(meter.seconds, 1e-9),
        stopped=early and stop != "patience",
    )


def _in_parts(parts: int) -> str:
    return f"the GPU's memory is full: each step is done in {parts} parts, with the same gradient"


def stopped_early(resumed: bool = False) -> RunFailedError:
    """Return the error of a run that was ended before it learned anything, or anything more."""
    if resumed:
        return RunFailedError(
            "The run was stopped before it went on.",
            "Its checkpoint and its best model are kept; it can be resumed again.",
        )
    return RunFailedError(
        "The run was stopped before its first step.",
        "No model was written; an older one is as it was.",
    )


def _end_epoch(
    job: Job,
    model: nn.Module,
    keeper: BestKeeper,
    meter: Meter,
    epoch: int,
    step: int,
    images_per_second: float,
    began: float,
    say: Say,
) -> None:
    """Validate `model`, keep its weights if they are the best, say how the epoch went."""
    loss, accuracy = meter.end_epoch()
    with observed(model) as dead:
        answers = answer(model, job.validation)
    if not math.isfinite(answers.loss):
        raise NotANumberError(step)
    best = keeper.offer(model, epoch, answers.accuracy, answers.loss)
    say(
        ev.EpochEnded(
            epoch=epoch,
            step=step,
            loss=loss,
            accuracy=accuracy,
            validation_loss=answers.loss,
            validation_accuracy=answers.accuracy,
            images_per_second=images_per_second,
            seconds=time.monotonic() - began,
            best=best,
            best_accuracy=keeper.accuracy,
            probes=job.probes(answers),
            predicted=answers.counts(),
            dead=dead.share,
        )
    )
    keeper.flush()
    meter.restart_clock()


def _obey(orders: Orders, meter: Meter, say: Say) -> StopReason | None:
    """Return the stop that is ordered, if any; under `pause`, wait for another order."""
    order = orders.newest()
    if order == "pause":
        paused = time.monotonic()
        say(ev.Paused())
        while (order := orders.newest()) == "pause":
            time.sleep(ORDER_SECONDS)
        say(ev.Continued(seconds=time.monotonic() - paused))
        meter.restart_clock()
    return order if order in ("stop", "stop-now", "signal", "time") else None


def _out_of_patience(job: Job, keeper: BestKeeper, epoch: int) -> StopReason | None:
    patience = job.config.patience
    return "patience" if patience is not None and epoch - keeper.epoch >= patience else None


def _report(meter: Meter, epoch: int, step: int, rate: float, say: Say) -> None:
    event = meter.read(epoch, step, rate)
    if event:
        say(event)
