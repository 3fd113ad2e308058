"""What a run leaves: the best weights so far, the answers on the test part, the finished model."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import torch
from torch import nn

from core.config import TrainConfig
from core.dataset.split import Manifest
from core.errors import RunFailedError
from core.evaluation.answers import answer, kept
from core.evaluation.metrics import evaluated
from core.files import sweep
from core.model import alexnet, bundle
from core.model.card import Card, Preprocessing, Results
from core.model.folded import unfolded
from core.model.network import AlexNet
from core.processes import worker_command, worker_environment
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.text import count
from core.training import batches
from core.training.best import BestKeeper, State
from core.training.loop import Say, Trained
from core.training.telling import versions
from core.training.temperature import fit_temperature

CERTIFY_SECONDS, WAIT_SECONDS = 300, 1.0
NO_RESULTS = Results(epochs=0, best_epoch=0, validation_accuracy=0.0)


def make_card(
    config: TrainConfig, manifest: Manifest, spec: Preprocessing, results: Results = NO_RESULTS
) -> Card:
    """Return what the model file says of itself, at first before there are results."""
    return Card(
        format_version=spec.version,
        classes=manifest.classes,
        preprocessing=spec,
        settings=config.of_model(),
        results=results,
        split_hash=manifest.digest(),
        versions=versions(),
    )


def make_results(keeper: BestKeeper, epochs: int, test: ev.Interval | None = None) -> Results:
    """Return what the best weights have reached in `epochs` epochs."""
    return Results(
        epochs=epochs,
        best_epoch=keeper.epoch,
        validation_accuracy=keeper.accuracy,
        test=test,
    )


def write_best(
    run: RunFolder, card: Card, state: State, epoch: int, keeper: BestKeeper, say: Say
) -> bool:
    """Write the best weights into the run folder; where that fails it is said, and costs no more."""
    card = msgspec.structs.replace(card, results=make_results(keeper, epoch))
    try:
        bundle.save(run.model, card, alexnet.to_tensors(unfolded(state)))
    except OSError as error:
        text = f"the model of epoch {epoch} was not saved: {error.strerror} (training goes on)"
        say(ev.Note(level="error", text=text))
        return False
    say(ev.Saved(path=str(run.model), epoch=epoch))
    return True


def finished(state: State, where: torch.device) -> AlexNet:
    """Return the AlexNet that a run has come to, as whoever loads its file has it."""
    return alexnet.from_tensors(alexnet.to_tensors(unfolded(state))).to(where)


def calibrated(model: nn.Module, validation: batches.Part, say: Say) -> Preprocessing:
    """Return how pictures are answered from now on: with the temperature that the validation part asks for."""
    answers = answer(model, validation)
    temperature = fit_temperature(answers.probabilities, answers.labels)
    pictures = count(len(answers.labels), "validation picture")
    text = f"confidence is calibrated on {pictures}: temperature {temperature:.2f}"
    say(ev.Note(level="info", text=text))
    return msgspec.structs.replace(validation.spec, temperature=temperature)


def evaluate(
    run: RunFolder, model: nn.Module, test: batches.Part, manifest: Manifest, say: Say
) -> ev.Evaluated:
    """Read the test part, once, and keep every answer."""
    answers = answer(model, test)
    run.write_predictions(b"".join(kept(answers, manifest.test, manifest.classes)))
    event = evaluated(answers.labels, answers.predicted, manifest.classes, answers.loss)
    say(event)
    return event


def write_model(run: RunFolder, config: TrainConfig, card: Card, model: nn.Module) -> Path:
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
        best = f"The best weights are in {run.model}; copy it from there."
        raise RunFailedError(
            f"The model could not be written to {target}: {error.strerror}.",
            best if run.model.exists() else "Free some space and train again.",
        ) from error
    # The run's own copy is a convenience: without room for it the model is delivered all the same.
    with suppress(OSError):
        bundle.save(run.model, card, tensors)
    return target


def certified(run: RunFolder, model: Path, say: Say) -> ev.Certified:
    """Have a fresh process classify test pictures with the saved file.

    Raises:
        RunFailedError: it could not, which a saved model should never come to.
    """
    say(ev.Preparing(stage="certify", done=0, total=1))
    command = worker_command("certify", str(run.path), str(model))
    end = time.monotonic() + CERTIFY_SECONDS
    try:
        with subprocess.Popen(
            command,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as process:
            try:
                # In short waits, which are a sign of life.
                while process.poll() is None and time.monotonic() < end:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(WAIT_SECONDS)
            finally:
                process.kill()
            said = process.stdout.read() if process.stdout else b""
        return msgspec.json.decode(said, type=ev.Certified)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunFailedError(
            f"The saved model {model} could not be checked against its training.",
            f"It may be usable all the same; {run.worker_log} says what went wrong.",
        ) from error


def ended(
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
