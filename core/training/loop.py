"""Epochs and steps, in the order you would say them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from core.config import TrainConfig
from core.errors import RunFailedError
from core.evaluation.answers import Answers, answer
from core.runs import events as ev
from core.runs.folder import Order
from core.training.batches import AUGMENTATIONS, Part
from core.training.best import BestKeeper
from core.training.dead import dead_share
from core.training.device import autocast
from core.training.meter import Meter, not_a_number
from core.training.recipe import LABEL_SMOOTHING, Recipe, learning_rate, make_optimizer

ORDER_SECONDS = 0.2

StopReason = Literal["stop", "stop-now", "patience", "signal"]
Command = Order | Literal["signal"]
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
    train: Part
    validation: Part
    device: torch.device
    precision: str
    probes: Callable[[Answers], list[ev.Probe]]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the loop came to; the best weights are in the keeper."""

    epochs: int
    images_per_second: float


def train(job: Job, keeper: BestKeeper, orders: Orders, say: Say) -> Trained:
    """Train until the planned epochs are done, patience is out, or a stop is ordered.

    Raises:
        RunFailedError: the loss is not a number any more.
    """
    optimizer = make_optimizer(job.model, job.recipe)
    scaler = torch.amp.GradScaler(job.device.type, enabled=job.precision == "fp16")
    meter = Meter(job.device)
    how = AUGMENTATIONS[job.config.augment]
    step, rate = 0, 0.0
    stop: StopReason | None = None
    epoch = 0
    for epoch in range(1, job.config.epochs + 1):
        began = time.monotonic()
        images_before, seconds_before = meter.images, meter.seconds
        job.model.train()
        batches = job.train.shuffled(job.recipe.batch_size, how, job.config.seed, epoch)
        for batch in meter.timed(batches):
            stop = _obey(orders, meter, say) or stop
            if stop in ("stop-now", "signal"):
                if step == 0:
                    raise stopped_early()
                break
            rate = learning_rate(job.recipe, step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with autocast(job.device, job.precision):
                logits = job.model(batch.images)
                loss = F.cross_entropy(logits, batch.labels, label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            step += 1
            meter.add(logits, batch.labels)
            if meter.due():
                _report(meter, epoch, step, rate, say)
        _report(meter, epoch, step, rate, say)
        if stop in ("stop-now", "signal") and keeper.epoch:
            epoch -= 1
            break
        images, seconds = meter.images - images_before, meter.seconds - seconds_before
        _end_epoch(job, keeper, meter, epoch, step, images / max(seconds, 1e-9), began, say)
        stop = stop or _obey(orders, meter, say) or _out_of_patience(job, keeper, epoch)
        if stop:
            break
    if stop and epoch < job.config.epochs:
        say(ev.Stopping(reason=stop, epoch=max(epoch, 1)))
    return Trained(epochs=epoch, images_per_second=meter.images / max(meter.seconds, 1e-9))


def stopped_early() -> RunFailedError:
    """Return the error of a run that was ended before it learned anything."""
    return RunFailedError(
        "The run was stopped before its first step.",
        "No model was written; an older one is as it was.",
    )


def _end_epoch(
    job: Job,
    keeper: BestKeeper,
    meter: Meter,
    epoch: int,
    step: int,
    images_per_second: float,
    began: float,
    say: Say,
) -> None:
    """Validate, keep the weights if they are the best, say how the epoch went."""
    loss, accuracy = meter.end_epoch()
    answers = answer(job.model, job.validation)
    if not math.isfinite(answers.loss):
        raise not_a_number(step)
    best = keeper.offer(job.model, epoch, answers.accuracy, answers.loss)
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
            dead=dead_share(job.model, job.validation),
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
    return order if order in ("stop", "stop-now", "signal") else None


def _out_of_patience(job: Job, keeper: BestKeeper, epoch: int) -> StopReason | None:
    patience = job.config.patience
    return "patience" if patience is not None and epoch - keeper.epoch >= patience else None


def _report(meter: Meter, epoch: int, step: int, rate: float, say: Say) -> None:
    event = meter.read(epoch, step, rate)
    if event:
        say(event)
