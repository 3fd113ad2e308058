"""What runs in other processes: `train RUN` and its `finish`, `certify RUN MODEL`, `predict MODEL`, and `read`.

Nothing is imported before it is needed: the decoders and the reader start without torch.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import NotANumberError, RunFailedError, UserError
from core.text import count, safe_text

if TYPE_CHECKING:
    from core.evaluation.result import Part
    from core.lifeline import Place
    from core.model.formats import Format
    from core.runs import events as ev
    from core.runs.checkpoints import Checkpoint, Checkpoints
    from core.runs.folder import RunFolder
    from core.training.run import Commands


def train(run_path: str) -> int:
    """Train the run in the folder `run_path`, or go on with it; every outcome is its last event.

    Under torchrun this is one of several processes: what is said here is said by rank 0.
    """
    from core import lifeline
    from core.runs import events as ev
    from core.runs.folder import RunFolder
    from core.speeds import keep_speed_of

    lifeline.stay_no_longer_than_launcher()
    run, here = RunFolder(Path(run_path)), lifeline.place()
    if here and here.rank:
        return _help_to_train(run, here)
    with _sole_trainer(run):
        begun = run.has_begun()
        with run.writer() as log, run.beating():
            speaking = threading.Lock()

            def say(event: ev.Event) -> None:
                with speaking:
                    log.write(event, sync=isinstance(event, ev.SAFE) or ev.is_last(event))

            def give_up(error: UserError) -> None:
                """Say the last word while the main thread hangs, and end the process."""
                # Never given back: nothing comes after it. Who hangs while speaking has it for good.
                speaking.acquire(timeout=1.0)
                log.write(_failed(run, error.title, error.hint, error.exit_code), sync=True)
                os._exit(ended(run_path, error.exit_code))

            try:
                _train(run, begun, say, give_up, here)
            except UserError as error:
                traceback.print_exc()
                title, hint, code = error.title, error.hint, error.exit_code
            except OSError as error:
                traceback.print_exc()
                where = f" ({error.filename})" if error.filename else ""
                title = f"Training failed: {error.strerror or error}{where}."[:500]
                hint, code = f"When that is mended, go on: run_tui.py resume {run.name}", 3
            # Whoever watches must learn of every end, and the traceback belongs in the worker's log.
            except BaseException as error:  # noqa: BLE001
                traceback.print_exc()
                title = f"Training failed: {type(error).__name__}: {error}"[:500]
                hint, code = f"Details are in {run.worker_log}.", 3
            else:
                # A run that has ended well has, whatever becomes of a figure for the next, and
                # what several machines reach is none for this one.
                with suppress(OSError, UserError):
                    if here is None:
                        keep_speed_of(run)
                return 0
            say(_failed(run, title, hint, code))
            _finish_writing()
            return code


@contextmanager
def _sole_trainer(run: RunFolder) -> Iterator[None]:
    """Hold the run; who cannot have it says so and ends, since the run is not his to speak for."""
    from core.runs.trainer import sign

    with ExitStack() as stack:
        try:
            run.config()
            stack.enter_context(run.lock())
            sign(run.path)
        except (UserError, OSError) as error:
            hint = error.hint if isinstance(error, UserError) else "Is this the folder of a run?"
            print(f"error: {safe_text(str(error))}\n{safe_text(hint)}", file=sys.stderr)
            sys.exit(2)
        yield


def _finish_writing() -> None:
    """Wait for a checkpoint that is being written: nobody else may have the run's lock until then."""
    from core.runs.checkpoints import WRITING

    for thread in threading.enumerate():
        if thread.name == WRITING:
            thread.join()


def _failed(run: RunFolder, title: str, hint: str, code: int) -> ev.RunFailed:
    from core.runs import events as ev

    return ev.RunFailed(run=str(run.path), title=title, hint=hint, exit_code=code)


def _help_to_train(run: RunFolder, here: Place) -> int:
    """Train `run` with others, of which rank 0 says how it goes, and how it has ended."""
    from core.lifeline import OtherRank

    with OtherRank(here) as line:
        from core.training.run import Commands, execute

        checkpoints, commands = run.checkpoints(), Commands(run.orders())
        newest = checkpoints.newest()
        execute(run, run.config(), checkpoints, newest, lambda event: None, commands, line)
    return 0


def _train(
    run: RunFolder,
    begun: bool,
    say: Callable[[ev.Event], None],
    give_up: Callable[[UserError], None],
    here: Place | None,
) -> None:
    """Train `run` from its newest checkpoint on, or from the start; rank 0 of several if `here` says so."""
    from core.lifeline import FirstRank, Place, start_ranks
    from core.runs import events as ev

    checkpoints = run.checkpoints()
    checkpoint = _newest(run, checkpoints) if begun else None
    if begun:
        # At once: who follows must learn that an earlier end was not the last.
        say(_resumed(run, checkpoint))
    if checkpoints.damaged:
        newer = count(checkpoints.damaged, "newer checkpoint was", "newer checkpoints were")
        text = f"{newer} passed over; the newest {checkpoints.problem}"
        say(ev.Note(level="warning", text=text))
    config = run.config()
    under_torchrun = here is not None
    here = here or Place(size=config.gpus, local_size=config.gpus)
    with ExitStack() as stack:
        line = None
        if here.size > 1:
            # Before torch is loaded, so that all load it at once.
            started = [] if under_torchrun else start_ranks(str(run.path), here.size)
            hint = f"{run.worker_log} may say more. Go on: run_tui.py resume {run.name}"
            line = stack.enter_context(FirstRank(here, started, give_up, hint))
        from core.training.run import Commands, execute

        commands = Commands(run.orders(), config.minutes)
        failed = None
        try:
            execute(run, config, checkpoints, checkpoint, say, commands, line)
        except NotANumberError as error:
            if line is not None:
                raise
            # Without what its trainer holds in memory.
            failed = error.with_traceback(None)
    if failed is not None:
        _train_once_more(run, failed, say, commands)


def _train_once_more(
    run: RunFolder,
    failed: NotANumberError,
    say: Callable[[ev.Event], None],
    commands: Commands,
) -> None:
    """Train `run` from before its loss was no number, at a tenth of the learning rate."""
    from core.runs import events as ev
    from core.training.run import execute

    checkpoints = run.checkpoints()
    checkpoint = _newest(run, checkpoints)
    place = f"from step {checkpoint.step:,}" if checkpoint else "from the start"
    text = f"{failed.title.rstrip('.')}: once more {place}, at a tenth of the learning rate"
    say(ev.Note(level="warning", text=text))
    say(_resumed(run, checkpoint))
    execute(run, run.config(), checkpoints, checkpoint, say, commands, slower=0.1)


def _newest(run: RunFolder, checkpoints: Checkpoints) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, None where none was written.

    Raises:
        RunFailedError: there are some, but none is whole.
    """
    checkpoint = checkpoints.newest()
    if checkpoint is None and checkpoints.damaged:
        # To begin anew would remove what somebody else may still read.
        raise RunFailedError(
            f"The newest checkpoint of the run {checkpoints.problem}; there is no other to go on from.",
            f"Its files are left as they are. Train anew, or on from its model: --weights {run.model}",
        )
    return checkpoint


def _resumed(run: RunFolder, checkpoint: Checkpoint | None) -> ev.Resumed:
    from core.runs import events as ev

    epoch, step = (checkpoint.epoch, checkpoint.step) if checkpoint else (1, 0)
    return ev.Resumed(run=str(run.path), epoch=epoch, step=step)


def ended(run_path: str, code: int) -> int:
    """Do what the user wants done at the end of a run; return the `code` of its training.

    This process is replaced for that, so that no memory of the training is held meanwhile, not on
    the device either, and whoever waits for the trainer, such as a cluster's scheduler, waits on.
    """
    from core.finish import is_wanted
    from core.processes import worker_command, worker_environment
    from core.runs.folder import RunFolder

    # Of several processes that train one run the first speaks for it.
    if os.environ.get("RANK", "0") == "0" and is_wanted(RunFolder(Path(run_path))):
        words = worker_command("finish", run_path, str(code))
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            os.execve(words[0], words, worker_environment())
        except OSError:
            traceback.print_exc()
    return code


def finish(run_path: str, code: str) -> int:
    """Run the command and tell the address; the exit code stays that of the training."""
    from core.finish import finish as do_all
    from core.runs.folder import RunFolder

    do_all(RunFolder(Path(run_path)))
    return int(code)


def certify(run_path: str, model_path: str) -> int:
    """Print what the saved model answers against what training answered, as one event."""
    from core.evaluation.certificate import certify as make_certificate
    from core.processes import die_with_parent
    from core.runs import events as ev
    from core.runs.folder import RunFolder

    die_with_parent()
    certified = make_certificate(RunFolder(Path(run_path)), Path(model_path))
    sys.stdout.buffer.write(ev.encode(certified))
    return 0


def demo(folder: str, images: str, seed: str) -> int:
    """Draw the built-in example."""
    from core.dataset.demo import write_demo

    def draw(tell: Callable[[int, int], None]) -> dict[str, int]:
        written = write_demo(Path(folder), int(images), int(seed), tell)
        return {name: len(paths) for name, paths in written.items()}

    return _reported(draw)


def doctor(folder: str, settings: str) -> int:
    """Examine a data folder as training with `settings`, in JSON, would."""
    # Before NumPy loads, so that it starts no threads and the decoders can be forked.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import msgspec

    from core.config import TrainConfig
    from core.dataset.doctor import examine
    from core.dataset.intake import Plan

    config = msgspec.json.decode(settings, type=TrainConfig)
    plan = Plan.of(config)
    return _reported(lambda tell: examine(Path(folder), config.image_size, plan, tell))


def evaluate(model_path: str, folder: str, part: Part) -> int:
    """Have a saved model answer a part of a data folder."""
    from core.evaluation.evaluating import evaluate as judge

    return _reported(lambda tell: judge(Path(model_path), Path(folder), part, tell))


def import_fer2013(table: str, folder: str, *classes: str) -> int:
    """Turn Kaggle's table of faces into class folders."""
    from core.dataset import fer2013

    return _reported(lambda tell: fer2013.import_fer2013(Path(table), Path(folder), classes, tell))


def export(model_path: str, kind: Format, target: str) -> int:
    from core.model import exported

    return _reported(lambda tell: exported.export(Path(model_path), kind, Path(target)))


def measure(request: str) -> int:
    """Time a few steps of a training that may be started, as much in the background as that would be."""
    from core.costs import Trial

    os.nice(10)

    def steps(tell: Callable[[int, int], None]) -> float:
        from core.training.measure import images_per_second

        trial = Trial.decoded(request)
        return images_per_second(trial.config, trial.sizes)

    return _reported(steps)


def _reported(task: Callable[[Callable[[int, int], None]], object]) -> int:
    """Do a task for the engine: lines of progress, then its result or its error, as JSON."""
    import signal

    import msgspec

    from core.processes import die_with_parent

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def tell(message: object) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    die_with_parent()
    try:
        tell({"result": task(lambda done, total: tell({"done": done, "total": total}))})
    except UserError as error:
        tell({"title": safe_text(error.title), "hint": safe_text(error.hint)})
        return error.exit_code
    return 0


def predict(model_path: str) -> int:
    from core.prediction.serving import serve

    serve(model_path)
    return 0


def read() -> int:
    from core.prediction.reader import serve

    serve()
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    match sys.argv[1:]:
        case ["train", run_folder]:
            sys.exit(ended(run_folder, train(run_folder)))
        case ["finish", run_folder, exit_code]:
            sys.exit(finish(run_folder, exit_code))
        case ["certify", run_folder, model_file]:
            sys.exit(certify(run_folder, model_file))
        case ["demo", folder, images, seed]:
            sys.exit(demo(folder, images, seed))
        case ["doctor", folder, settings]:
            sys.exit(doctor(folder, settings))
        case ["evaluate", model_file, folder, "test" | "validation" | "all" as part]:
            sys.exit(evaluate(model_file, folder, part))
        case ["export", model_file, "onnx" | "torchscript" | "state-dict" as kind, target]:
            sys.exit(export(model_file, kind, target))
        case ["import-fer2013", table, folder, *classes]:
            sys.exit(import_fer2013(table, folder, *classes))
        case ["measure", request]:
            sys.exit(measure(request))
        case ["predict", model_file]:
            sys.exit(predict(model_file))
        case ["read"]:
            sys.exit(read())
        case _:
            sys.exit(
                "usage: core.worker train RUN | finish RUN CODE | certify RUN MODEL | predict MODEL | read"
                " | demo DIR IMAGES SEED | doctor DIR SETTINGS"
                " | evaluate MODEL DIR test|validation|all | export MODEL FORMAT FILE"
                " | import-fer2013 CSV DIR CLASS... | measure TRIAL"
            )
