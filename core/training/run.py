"""From settings to a certified model: the stages of one run, in order."""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from pathlib import Path
from types import FrameType

import msgspec
import torch
from torch import Tensor

from core import costs
from core.config import TrainConfig
from core.dataset.folder import Part
from core.dataset.intake import Plan, take_in
from core.dataset.pixels import Pictures
from core.dataset.split import Manifest
from core.errors import NotANumberError
from core.lifeline import FirstRank, OtherRank
from core.model import alexnet
from core.model.card import Preprocessing
from core.model.folded import fold
from core.processes import yield_cores
from core.runs import events as ev
from core.runs.checkpoints import Checkpoint, Checkpoints
from core.runs.folder import RunFolder
from core.runs.orders import OrderReader
from core.training import batches, delivery, device, recipe, telling
from core.training.best import BestKeeper
from core.training.checkpoint import Saver, checkpoint_seconds
from core.training.learner import Numbers, Origin, read_numbers
from core.training.loop import Command, Job, Say, train
from core.training.probes import Probes
from core.training.pulse import watched
from core.training.ranks import Ranks, join
from core.training.resuming import check_origin, known_pictures

# Pictures that set the scale of a random start.
CALIBRATION = 64


def execute(
    run: RunFolder,
    config: TrainConfig,
    checkpoints: Checkpoints,
    checkpoint: Checkpoint | None,
    say: Say,
    commands: Commands,
    line: FirstRank | OtherRank | None = None,
    slower: float = 1.0,
) -> None:
    """Do the run `run` to its last event, from the start or from where `checkpoint` stands.

    Of several processes, which `line` ties together, all do so but for what rank 0 alone is to say and write.
    The learning rate is `slower` times that of the settings, or of the checkpoint.

    Raises:
        UserError: the input cannot be trained on, or (RunFailedError) training went wrong.
    """
    began = time.monotonic()
    # Before anything is said or decoded: one of another version ends it here.
    numbers = read_numbers(checkpoint) if checkpoint else None
    say = watched(say, run.past_events())
    ranks = join(line)
    where = ranks.choose(config.device)
    precision = device.precision(config.precision, where)
    name = ranks.name(where)
    say(telling.started(run, config, where, name, precision))
    if where.type == "cpu":
        # Whoever watches on the same cores comes first.
        yield_cores()
    orders = commands if ranks.leads else NoOrders()
    progress = telling.Progress(say, orders, resumed=checkpoint is not None)
    plan = Plan.of(config)
    data = Path(config.data)
    intake = ranks.in_turn(
        lambda: take_in(data, config.image_size, plan, progress.scanned, progress.decoded)
    )
    store, manifest = intake.pictures, intake.dealt.manifest
    if checkpoint is None:
        if ranks.leads:
            run.write_split(manifest.encoded())
        telling.tell_dataset(intake, say)
    else:
        manifest = known_pictures(run.read_split(), intake, say)
    origin = Origin(
        device=name,
        precision=precision,
        versions=telling.versions(),
        split_hash=manifest.digest(),
        channels=store.channels,
        stored_size=store.stored_size,
    )
    if numbers is not None:
        check_origin(numbers.origin, origin, where.type != "cpu", say)
        began -= numbers.run_seconds
    job, test = make_job(config, store, manifest, where, precision, numbers, ranks, slower, say)
    smallest = len(job.train) // job.recipe.steps_per_epoch
    same = msgspec.structs.replace(origin, device="")
    ranks.check(smallest, same, job.recipe, checkpoint and checkpoint.step)
    saver = Saver(
        *(checkpoints, origin, job.recipe, say, checkpoint),
        began=began,
        seconds=checkpoint_seconds(),
        writes=ranks.leads,
    )
    card = delivery.make_card(config, manifest, _preprocessing(config, store))
    keeper = BestKeeper(
        lambda state, epoch: delivery.write_best(run, card, state, epoch, keeper, say)
    )
    try:
        trained = train(job, keeper, commands, saver, say)
    except NotANumberError:
        saver.close()
        raise
    ranks.leave()
    if not ranks.leads:
        return
    saver.close()
    keeper.flush(force=True)
    best = delivery.finished(keeper.state, where)
    test.spec = delivery.calibrated(best, job.validation, say)
    score = delivery.evaluate(run, best, test, manifest, say)
    interval = ev.Interval(accuracy=score.accuracy, low=score.low, high=score.high, n=score.n)
    results = delivery.make_results(keeper, trained.epochs, interval)
    card = delivery.make_card(config, manifest, test.spec, results)
    model = delivery.write_model(run, config, card, best)
    say(delivery.certified(run, model, say))
    say(delivery.ended(run, model, trained, results, time.monotonic() - began))
    # Who stopped a run may want to go on; one that is finished is trained on by --weights.
    checkpoints.thin(1 if trained.stopped else 0)


class Commands:
    """Orders from the control file, overruled by SIGTERM, which stops after the step, and by a time limit."""

    def __init__(self, orders: OrderReader, minutes: int | None = None) -> None:
        self._orders = orders
        self._terminated = False
        self._end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        signal.signal(signal.SIGTERM, self._on_signal)
        # Ctrl-C in a terminal that this process happens to share is not meant for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def newest(self) -> Command | None:
        if self._terminated:
            return "signal"
        order = self._orders.newest()
        late = time.monotonic() >= self._end
        return "time" if late and order in (None, "go") else order

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True


class NoOrders:
    """What a rank hears that is not the first, until all train: that one ends, and all with it."""

    def newest(self) -> Command | None:
        return None


def make_job(
    config: TrainConfig,
    store: Pictures,
    manifest: Manifest,
    where: torch.device,
    precision: str,
    numbers: Numbers | None,
    ranks: Ranks,
    slower: float,
    say: Say,
) -> tuple[Job, batches.Part]:
    """Return what the loop works on, and the test part; with `numbers` the checkpoint brings the weights."""
    torch.manual_seed(config.seed)
    start = "random" if numbers else config.weights
    model = alexnet.build(len(manifest.classes), start, config.freeze)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    spec = _preprocessing(config, store)
    free = device.free_memory(where)
    tier = costs.tier(config.pixels, store.pixels.nbytes, free, ranks.neighbours)
    row = {member.path: i for i, member in enumerate(store.members)}

    def part(name: Part) -> batches.Part:
        members = manifest.part(name)
        rows, labels = [row[m.path] for m in members], [m.label for m in members]
        return batches.Part(store.pixels, rows, labels, spec, where, tier)

    training = part("train")
    # What is frozen is delivered as it was given, to the last bit.
    copies = 1.0 if config.freeze else fold(model, config.image_size)
    if start == "random" and not numbers:
        alexnet.calibrate(model, _first_look(training, config.seed).cpu())
    model = device.placed(model, where)
    weights = recipe.class_weights(manifest.counts("train"))
    if numbers is None and max(weights) > min(weights):
        say(ev.Note(level="info", text=telling.weighted(manifest.classes, weights)))
    plan = numbers.recipe if numbers else recipe.plan(config, len(training), where)
    plan = dataclasses.replace(plan, learning_rate=slower * plan.learning_rate)
    say(
        ev.TrainingStarted(
            image_size=config.image_size,
            batch_size=plan.batch_size,
            steps_per_epoch=plan.steps_per_epoch,
            learning_rate=plan.learning_rate,
            usual_learning_rate=plan.usual_learning_rate,
            parameters=parameters,
            tier=training.tier,
            pixels=store.pixels.nbytes,
            free=free,
        )
    )
    if free is not None:
        say(
            ev.Note(level="info", text=telling.pixels_lie(training.tier, store.pixels.nbytes, free))
        )
    job = Job(
        config=config,
        recipe=plan,
        model=model,
        copies=copies,
        weights=torch.tensor(weights, device=where),
        train=training,
        validation=part("validation"),
        device=where,
        precision=precision,
        probes=Probes(manifest),
        ranks=ranks,
    )
    return job, part("test")


def _first_look(training: batches.Part, seed: int) -> Tensor:
    """Return some training pictures of all classes as the network sees them, unchanged."""
    unchanged = batches.AUGMENTATIONS["none"]
    return next(training.shuffled(CALIBRATION, unchanged, seed, epoch=0)).images


def _preprocessing(config: TrainConfig, store: Pictures) -> Preprocessing:
    return Preprocessing(
        stored_size=store.stored_size,
        channels=store.channels,
        image_size=config.image_size,
        # A network that has seen both sides answers better by both.
        mirrored=batches.AUGMENTATIONS[config.augment].flip,
    )
