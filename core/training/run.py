"""From settings to a certified model: the stages of one run, in order."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import msgspec
import torch
import torchvision
from torch import Tensor, nn

from core.config import TrainConfig
from core.dataset.folder import Part
from core.dataset.intake import Intake, Plan, copies_in, take_in, too_many_unreadable
from core.dataset.pixels import Pictures
from core.dataset.split import Manifest
from core.dataset.walk import NO_PICTURE
from core.errors import RunFailedError
from core.evaluation.answers import Answers, answer, kept
from core.evaluation.metrics import evaluated
from core.files import sweep
from core.machine import host_name
from core.model import alexnet, bundle
from core.model.card import Card, Preprocessing, Results
from core.processes import worker_command, worker_environment, yield_cores
from core.runs import events as ev
from core.runs.folder import OrderReader, RunFolder
from core.text import count
from core.training import batches, device, recipe
from core.training.best import BestKeeper, State
from core.training.loop import Command, Job, Say, Trained, stopped_early, train
from core.training.pulse import watched

PROBES = 4
# Pictures that set the scale of a random start.
CALIBRATION = 64
PROGRESS_SECONDS = 0.25
LISTED_LEFT_OUT = 200
CERTIFY_SECONDS = 300


def execute(run: RunFolder, config: TrainConfig, say: Say) -> None:
    """Do the run `run` from the first event to the last.

    Raises:
        UserError: the input cannot be trained on, or (RunFailedError) training went wrong.
    """
    began = time.monotonic()
    say = watched(say)
    commands = Commands(run.orders())
    where = device.choose(config.device)
    precision = device.precision(config.precision, where)
    say(_started(run, config, where, precision))
    if where.type == "cpu":
        # Whoever watches on the same cores comes first.
        yield_cores()
    progress = _Progress(say, commands)
    plan = Plan(split=config.split, seed=config.seed, group=config.group)
    data = Path(config.data)
    intake = take_in(data, config.image_size, plan, progress.scanned, progress.decoded)
    store, manifest = intake.pictures, intake.dealt.manifest
    run.write_split(manifest.encoded())
    _tell_dataset(intake, say)
    job, test = _job(config, store, manifest, where, precision, say)
    card = _card(config, manifest, store)
    keeper = BestKeeper(lambda state, epoch: _write_best(run, card, state, epoch, keeper, say))
    trained = train(job, keeper, commands, say)
    keeper.flush(force=True)
    keeper.restore(job.model)
    score = _evaluate(run, job.model, test, manifest, say)
    interval = ev.Interval(accuracy=score.accuracy, low=score.low, high=score.high, n=score.n)
    results = _results(keeper, trained.epochs, interval)
    model = _write_model(run, config, msgspec.structs.replace(card, results=results), job.model)
    say(_certified(run, model, say))
    say(_ended(run, model, trained, results, time.monotonic() - began))


class Commands:
    """Orders from the control file, overruled by SIGTERM, which stops after the step."""

    def __init__(self, orders: OrderReader) -> None:
        self._orders = orders
        self._terminated = False
        signal.signal(signal.SIGTERM, self._on_signal)
        # Ctrl-C in a terminal that this process happens to share is not meant for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def newest(self) -> Command | None:
        return "signal" if self._terminated else self._orders.newest()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True


class _Progress:
    """Says how far scan and decoding are, a few times a second, and ends them when that is ordered."""

    def __init__(self, say: Say, commands: Commands) -> None:
        self._say = say
        self._commands = commands
        self._next = 0.0

    def scanned(self, met: int) -> None:
        self._tell(ev.Preparing(stage="scan", done=met, total=0), last=False)

    def decoded(self, done: int, total: int) -> None:
        self._tell(ev.Preparing(stage="decode", done=done, total=total), last=done == total)

    def _tell(self, event: ev.Preparing, last: bool) -> None:
        if self._commands.newest() in ("stop", "stop-now", "signal"):
            raise stopped_early()
        now = time.monotonic()
        if now >= self._next or last:
            self._next = now + PROGRESS_SECONDS
            self._say(event)


def _started(
    run: RunFolder, config: TrainConfig, where: torch.device, precision: str
) -> ev.RunStarted:
    return ev.RunStarted(
        run=str(run.path),
        data=config.data,
        epochs=config.epochs,
        device=str(where),
        device_name=device.name(where),
        precision=precision,
        pid=os.getpid(),
        hostname=host_name(),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
    }


def _tell_dataset(intake: Intake, say: Say) -> None:
    """Say what is trained on, and what is not."""
    store, dealt = intake.pictures, intake.dealt
    manifest, left_out = dealt.manifest, intake.left_out
    # Lists of labels and the like lie beside the pictures of many data sets, one for each.
    listed = [file for file in left_out if file.reason != NO_PICTURE][:LISTED_LEFT_OUT]
    for file in listed:
        say(ev.LeftOut(path=file.path, reason=file.reason))
    if damaged := too_many_unreadable(store):
        say(ev.Note(level="warning", text=damaged))
    if len(left_out) > len(listed):
        more = count(len(left_out) - len(listed), "more file")
        say(ev.Note(level="warning", text=f"{more} left out; the doctor names them"))
    if intake.scan.parts:
        text = "used as dealt into folders; parts that are missing are dealt from train"
        say(ev.Note(level="info", text=text))
    copies = copies_in(store)
    if copies.mixed:
        pictures = count(len(copies.mixed), "picture lies", "pictures lie")
        text = f"{pictures} in more than one class, itself or as a near copy"
        say(ev.Note(level="warning", text=text))
    if dealt.apart:
        text = f"near copies in {', '.join(dealt.apart)} are too many to be kept on one side of the split"
        say(ev.Note(level="warning", text=text))
    say(
        ev.DatasetReady(
            classes=manifest.classes,
            train=manifest.counts("train"),
            validation=manifest.counts("validation"),
            test=manifest.counts("test"),
            left_out=len(left_out),
            duplicates=copies.duplicates,
            near_copies=copies.near_copies,
            leaked=dealt.leaked,
            dealt=[*intake.scan.dealt],
            channels=store.channels,
            stored_size=store.stored_size,
            split_hash=manifest.digest(),
        )
    )


def _job(
    config: TrainConfig,
    store: Pictures,
    manifest: Manifest,
    where: torch.device,
    precision: str,
    say: Say,
) -> tuple[Job, batches.Part]:
    """Return what the loop works on, and the test part."""
    torch.manual_seed(config.seed)
    model = alexnet.build(len(manifest.classes), config.weights, config.freeze)
    model = model.to(where, memory_format=torch.channels_last)
    spec = _preprocessing(config, store)
    tier = device.tier(store.pixels.nbytes, where)
    row = {member.path: i for i, member in enumerate(store.members)}

    def part(name: Part) -> batches.Part:
        members = manifest.part(name)
        rows, labels = [row[m.path] for m in members], [m.label for m in members]
        return batches.Part(store.pixels, rows, labels, spec, where, tier)

    training = part("train")
    if config.weights == "random":
        alexnet.calibrate(model, _first_look(training, config.seed))
    numbers = recipe.plan(config, len(training), where)
    say(
        ev.TrainingStarted(
            image_size=config.image_size,
            batch_size=numbers.batch_size,
            steps_per_epoch=numbers.steps_per_epoch,
            learning_rate=numbers.learning_rate,
            usual_learning_rate=numbers.usual_learning_rate,
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            tier=tier,
        )
    )
    job = Job(
        config=config,
        recipe=numbers,
        model=model,
        train=training,
        validation=part("validation"),
        device=where,
        precision=precision,
        probes=_Probes(manifest),
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
    )


class _Probes:
    """A few validation pictures, the same after every epoch, taken from the classes in turn."""

    def __init__(self, manifest: Manifest) -> None:
        self._classes = manifest.classes
        self._members = manifest.validation
        by_class = [
            [i for i, m in enumerate(self._members) if m.label == k]
            for k in range(len(self._classes))
        ]
        rounds = range(max(map(len, by_class), default=0))
        in_turn = [rows[r] for r in rounds for rows in by_class if r < len(rows)]
        self._rows = in_turn[:PROBES]

    def __call__(self, answers: Answers) -> list[ev.Probe]:
        predicted = answers.predicted
        return [
            ev.Probe(
                path=self._members[row].path,
                truth=self._classes[self._members[row].label],
                label=self._classes[predicted[row]],
                confidence=float(answers.probabilities[row].max()),
            )
            for row in self._rows
        ]


def _card(config: TrainConfig, manifest: Manifest, store: Pictures) -> Card:
    return Card(
        classes=manifest.classes,
        preprocessing=_preprocessing(config, store),
        settings=config.of_model(),
        results=Results(epochs=0, best_epoch=0, validation_accuracy=0.0),
        split_hash=manifest.digest(),
        versions=_versions(),
    )


def _results(keeper: BestKeeper, epochs: int, test: ev.Interval | None) -> Results:
    return Results(
        epochs=epochs,
        best_epoch=keeper.epoch,
        validation_accuracy=keeper.accuracy,
        test=test,
    )


def _write_best(
    run: RunFolder, card: Card, state: State, epoch: int, keeper: BestKeeper, say: Say
) -> None:
    """Write the best weights into the run folder; a full disk costs a warning, not the run."""
    card = msgspec.structs.replace(card, results=_results(keeper, epoch, None))
    try:
        bundle.save(run.model, card, alexnet.to_tensors(state))
    except OSError as error:
        text = f"the model of epoch {epoch} was not saved: {error.strerror} (training goes on)"
        say(ev.Note(level="error", text=text))
    else:
        say(ev.Saved(path=str(run.model), epoch=epoch))


def _evaluate(
    run: RunFolder, model: nn.Module, test: batches.Part, manifest: Manifest, say: Say
) -> ev.Evaluated:
    """Read the test part, once, and keep every answer."""
    answers = answer(model, test)
    run.write_predictions(b"".join(kept(answers, manifest.test, manifest.classes)))
    event = evaluated(answers.labels, answers.predicted, manifest.classes, answers.loss)
    say(event)
    return event


def _write_model(run: RunFolder, config: TrainConfig, card: Card, model: nn.Module) -> Path:
    """Write the finished model to its place, and make the run's own copy the same file if it can be.

    Raises:
        RunFailedError: it cannot be written; the best weights are still in the run folder.
    """
    target = config.model_file()
    tensors = alexnet.to_tensors(model.state_dict())
    try:
        sweep(target.parent)
        bundle.save(target, card, tensors)
    except OSError as error:
        kept = f"The best weights are in {run.model}; copy it from there."
        raise RunFailedError(
            f"The model could not be written to {target}: {error.strerror}.",
            kept if run.model.exists() else "Free some space and train again.",
        ) from error
    # The run's own copy is a convenience: without room for it the model is delivered all the same.
    with suppress(OSError):
        bundle.save(run.model, card, tensors)
    return target


def _certified(run: RunFolder, model: Path, say: Say) -> ev.Certified:
    """Have a fresh process classify test pictures with the saved file.

    Raises:
        RunFailedError: it could not, which a saved model should never come to.
    """
    say(ev.Preparing(stage="certify", done=0, total=1))
    command = worker_command("certify", str(run.path), str(model))
    try:
        done = subprocess.run(
            command,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=CERTIFY_SECONDS,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=ev.Certified)
    except (subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise RunFailedError(
            f"The saved model {model} could not be checked against its training.",
            f"It may be usable all the same; {run.worker_log} says what went wrong.",
        ) from error


def _ended(
    run: RunFolder, model: Path, trained: Trained, results: Results, seconds: float
) -> ev.RunEnded:
    assert results.test is not None
    return ev.RunEnded(
        run=str(run.path),
        model=str(model),
        seconds=seconds,
        images_per_second=trained.images_per_second,
        epochs=results.epochs,
        best_epoch=results.best_epoch,
        validation=ev.Accuracy(accuracy=results.validation_accuracy),
        test=results.test,
    )
