"""The headless verbs: everything a screen does, as a command with exit codes and JSON."""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, TextIO

import msgspec

from core import config as cfg
from core.engine import Answer, Classifier, Engine
from core.errors import UserError
from core.prediction import sources
from core.runs import events as ev
from core.runs.folder import Order, RunFolder, RunSummary
from core.runs.snapshot import RunView
from core.text import count, duration, safe_text

PROGRAM = "run_tui.py"
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(words: Sequence[str]) -> int:
    """Do what `words` say and return the exit code (COMMANDS: 0 well, 1 partly, 2 input, 3 run)."""
    try:
        chosen = _parser().parse_args(words)
        return asyncio.run(chosen.verb(Engine(), chosen))
    except UserError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def complain(error: UserError) -> None:
    """Print an error for people: what happened, and the next step."""
    print(f"error: {safe_text(error.title)}\n{safe_text(error.hint)}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors have the two lines that all others have."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message[:1].upper() + message[1:] + ".", f"See: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Train an AlexNet on a folder of class folders, watch it, classify with it."
        " Without a verb the app opens: --at DIR opens it on a folder, --ascii draws in ASCII,"
        " --no-mouse leaves the mouse to the terminal.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, does: str, run: Any) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=does, description=does, allow_abbrev=False)
        one.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
        one.set_defaults(verb=run)
        return one

    demo = verb("demo", "write the built-in example: drawn happy and sad faces", _demo)
    demo.add_argument("dir", metavar="DIR", help="a new or empty folder")
    demo.add_argument("--images", type=_whole("images", 20, 1_000_000), default=2000)
    demo.add_argument("--seed", type=_whole("seed", 0, 2**31 - 1), default=0)

    train = verb("train", "train, save the model to DIR, print progress", _train)
    train.add_argument("dir", metavar="DIR", help="the folder that holds one folder per class")
    _add_settings(train)
    train.add_argument("--out", metavar="FILE", help=cfg.meta("out").description)
    train.add_argument(
        "--detach", action="store_true", help="return at once; the training goes on by itself"
    )

    runs = verb("runs", "list runs, the living ones first", _runs)
    runs.add_argument("dir", metavar="DIR", nargs="?", help="only the runs on this data folder")

    watch = verb("watch", "follow a run from the first event to the last", _watch)
    _add_run(watch)
    for name, order, does in (
        ("pause", "pause", "let a living run wait"),
        ("go", "go", "let a paused run go on"),
        ("stop", "stop", "end a living run after its epoch; the best model is kept"),
    ):
        one = verb(name, does, _order)
        one.set_defaults(order=order)
        _add_run(one)
        if name == "stop":
            one.add_argument("--now", action="store_true", help="end it after the step")

    classify = verb("classify", "say what is in pictures", _classify)
    classify.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")
    classify.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="a URL, a file, a folder, or - for a list on stdin",
    )
    classify.add_argument(
        "--top", type=_whole("top", 1, 100_000), metavar="K", help="so many classes"
    )
    classify.add_argument("--csv", metavar="FILE", help="write the answers there as well")

    info = verb("info", "what a model file says of itself; needs no dataset", _info)
    info.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, worded by its description."""
    for name in cfg.SETTINGS:
        meta, default = cfg.meta(name), cfg.default(name)
        flag = "--" + name.replace("_", "-")
        text = f"{meta.description} ({cfg.allowed(name)}; default: {cfg.shown(default)})"
        text = text.replace("%", "%%")
        if default is False:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(
                flag,
                type=_setting(name),
                default=default,
                metavar=meta.title.split()[-1].upper(),
                help=text,
            )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", metavar="RUN", help="a run folder, its name, or a data folder for its newest run"
    )


def _setting(name: str) -> Any:
    return lambda typed: cfg.parse(name, typed)


def _whole(name: str, low: int, high: int) -> Any:
    def parse(typed: str) -> int:
        if not (
            typed.isascii() and typed.isdigit() and len(typed) < 13 and low <= int(typed) <= high
        ):
            raise UserError(f"--{name} cannot be “{typed}”.", f"It is {low:,} to {high:,}.")
        return int(typed)

    return parse


def _print_json(thing: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(thing) + b"\n")
    sys.stdout.buffer.flush()


def _say(text: str) -> None:
    print(safe_text(text), flush=True)


async def _demo(engine: Engine, chosen: argparse.Namespace) -> int:
    target = Path(chosen.dir).expanduser().absolute()
    async for done, total in engine.demo(target, chosen.images, chosen.seed):
        if not chosen.json and done == total:
            _say(f"{count(total, 'picture')} drawn in {target}")
    found = await engine.inspect(target)
    counts = {c.name: c.pictures for c in found.classes}
    if chosen.json:
        _print_json({"folder": str(target), "images": found.pictures, "classes": counts})
    else:
        _say(f"Train on them: {PROGRAM} train {target} --image-size 64 --epochs 12")
    return 0


async def _train(engine: Engine, chosen: argparse.Namespace) -> int:
    values = {name: getattr(chosen, name) for name in cfg.SETTINGS}
    config = cfg.TrainConfig(data=chosen.dir, out=chosen.out, **values)
    run = await engine.train(config)
    if chosen.detach:
        if chosen.json:
            _print_json({"run": str(run.path), "name": run.name})
        else:
            _say(f"training as {run.name}; watch it: {PROGRAM} watch {run.name}")
        return 0
    follower = _Follower(engine, run, chosen.json)
    try:
        return await follower.follow()
    except asyncio.CancelledError:
        # The first Ctrl-C ends the training with its best model saved, the second leaves it to itself.
        current = asyncio.current_task()
        assert current is not None
        current.uncancel()
        print("stopping: the best model is being saved (again: leave at once)", file=sys.stderr)
        if run.alive():
            run.order("stop-now")
        await follower.follow()
        return INTERRUPTED


async def _watch(engine: Engine, chosen: argparse.Namespace) -> int:
    return await _Follower(engine, RunFolder.find(chosen.run), chosen.json).follow()


class _Follower:
    """Prints a run as it goes; called again it goes on where it stood."""

    def __init__(self, engine: Engine, run: RunFolder, as_json: bool) -> None:
        self._engine = engine
        self._run = run
        self._json = as_json
        self._view = RunView()
        self._lines_shown = 0
        self._seen = 0

    async def follow(self) -> int:
        """Print events until the run is over, return the exit code."""
        last: ev.AnyEvent | None = None
        met = 0
        async for update in self._engine.follow(self._run):
            for event in update.events:
                met += 1
                if met > self._seen:
                    self._seen = met
                    self._show(event)
                last = event
        if isinstance(last, ev.RunEnded):
            return 0
        if isinstance(last, ev.RunFailed):
            error = UserError(last.title, last.hint)
            complain(error)
            return last.exit_code
        title = f"Training of {self._run.name} was interrupted: its process is gone."
        saved = self._view.snapshot().saved
        kept = f"The model of epoch {saved.epoch} is safe in {saved.path}." if saved else ""
        complain(UserError(title, kept or f"Its log is {self._run.worker_log}; train again."))
        return 3

    def _show(self, event: ev.AnyEvent) -> None:
        if self._json:
            _print_json(event)
        self._view.apply([event])
        if self._json:
            return
        if isinstance(event, ev.EpochEnded):
            self._show_epoch(event)
        elif not isinstance(event, ev.RunFailed | ev.Step | ev.Preparing):
            for line in list(self._view.snapshot().log)[-1:]:
                _say(line.text)

    def _show_epoch(self, event: ev.EpochEnded) -> None:
        now = self._view.snapshot()
        left = f", {duration(now.seconds_left)} left" if now.seconds_left else ""
        best = " *" if event.best else ""
        _say(
            f"epoch {event.epoch}/{now.epochs_planned}  loss {event.loss:.3f}"
            f"  train {event.accuracy:.1%}  validation {event.validation_accuracy:.1%}{best}"
            f"  {event.images_per_second:,.0f} images/s{left}"
        )


async def _runs(engine: Engine, chosen: argparse.Namespace) -> int:
    data = Path(chosen.dir).expanduser() if chosen.dir else None
    if data is not None and not data.is_dir():
        raise UserError(f"There is no folder at {data}.", f"See all runs: {PROGRAM} runs")
    found = await engine.runs(data)
    for run in found:
        if chosen.json:
            _print_json(run)
        else:
            _say(_run_line(run))
    if not found and not chosen.json:
        _say("No runs yet.")
    return 0


def _run_line(run: RunSummary) -> str:
    if run.test:
        score = f"{run.test.accuracy:.1%} test"
    elif run.best_validation is not None:
        score = f"{run.best_validation:.1%} validation"
    else:
        score = ""
    left = f"{duration(run.seconds_left)} left" if run.seconds_left and run.alive else ""
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    return f"{run.state:<12} {run.name:<40} {day}  epoch {run.epoch}/{run.epochs}  {score}  {left}".rstrip()


async def _order(engine: Engine, chosen: argparse.Namespace) -> int:
    run = RunFolder.find(chosen.run)
    order: Order = "stop-now" if getattr(chosen, "now", False) else chosen.order
    await engine.order(run, order)
    if chosen.json:
        _print_json({"run": str(run.path), "order": order})
    else:
        _say(f"{order} was ordered for {run.name}")
    return 0


async def _classify(engine: Engine, chosen: argparse.Namespace) -> int:
    answered = failed = 0
    with ExitStack() as stack:
        table = _AnswerTable(stack, chosen.csv) if chosen.csv else None
        async with engine.classifier(Path(chosen.model)) as classifier:
            for source in _all_sources(chosen.sources):
                try:
                    if isinstance(source, UserError):
                        raise source
                    answer = await classifier.classify(source)
                except UserError as error:
                    failed += 1
                    _show_failure(_name_of(source, chosen.sources), error, chosen.json, table)
                else:
                    answered += 1
                    _show_answer(answer, classifier, chosen, table)
    if failed:
        return 1 if answered else 2
    return 0


def _all_sources(given: Sequence[str]) -> Iterator[str | UserError]:
    """Yield single sources, or the error in the place of one that holds none."""
    for word in given:
        lines = (line.rstrip("\r\n") for line in sys.stdin) if word == "-" else iter([word])
        for line in lines:
            if word == "-" and not line.strip():
                continue
            try:
                yield from sources.expand(line)
            except UserError as error:
                yield error


def _name_of(source: str | UserError, given: Sequence[str]) -> str:
    return sources.shown(source) if isinstance(source, str) else ""


def _show_failure(source: str, error: UserError, as_json: bool, table: _AnswerTable | None) -> None:
    if as_json:
        _print_json(
            {"source": source, "error": safe_text(error.title), "hint": safe_text(error.hint)}
        )
    else:
        complain(error)
    if table:
        table.add_failure(source, error)


def _show_answer(
    answer: Answer, classifier: Classifier, chosen: argparse.Namespace, table: _AnswerTable | None
) -> None:
    top = dict(list(answer.probabilities.items())[: chosen.top])
    if chosen.json:
        _print_json(
            {
                "source": answer.source,
                "label": answer.label,
                "confidence": answer.confidence,
                "sure": answer.sure,
                "probabilities": top,
                "milliseconds": round(answer.milliseconds, 1),
            }
        )
    else:
        others = "  ".join(f"{name} {share:.1%}" for name, share in list(top.items())[1:])
        unsure = "" if answer.sure else "  (not sure)"
        _say(f"{answer.source}: {answer.label} {answer.confidence:.1%}{unsure}  {others}".rstrip())
    if table:
        table.add_answer(answer, classifier.info.classes)


class _AnswerTable:
    """The answers as CSV: a row a source, a column a class."""

    def __init__(self, stack: ExitStack, path: str) -> None:
        try:
            file: TextIO = stack.enter_context(
                Path(path).expanduser().open("w", newline="", encoding="utf-8")
            )
        except OSError as error:
            raise UserError(
                f"The table cannot be written to {path}: {error.strerror}.",
                "Give another --csv FILE.",
            ) from error
        self._rows = csv.writer(file)
        self._has_header = False

    def add_answer(self, answer: Answer, classes: Sequence[str]) -> None:
        if not self._has_header:
            self._header(classes)
        chances = [f"{answer.probabilities[name]:.6f}" for name in classes]
        self._rows.writerow(
            [answer.source, answer.label, f"{answer.confidence:.6f}", answer.sure, "", *chances]
        )

    def add_failure(self, source: str, error: UserError) -> None:
        self._rows.writerow([source, "", "", "", safe_text(error.title)])

    def _header(self, classes: Sequence[str]) -> None:
        self._has_header = True
        self._rows.writerow(["source", "label", "confidence", "sure", "error", *classes])


async def _info(engine: Engine, chosen: argparse.Namespace) -> int:
    info = await engine.model_info(Path(chosen.model))
    card = info.card
    if chosen.json:
        _print_json({"model": str(info.path), "intact": True} | msgspec.to_builtins(card))
        return 0
    test = info.test
    _say(f"model         {info.path} (intact: its content matches its hash)")
    _say(f"classes       {', '.join(info.classes)}")
    _say(
        f"input         {info.image_size}×{info.image_size}, "
        + _colours(card.preprocessing.channels)
    )
    _say(
        f"trained on    {info.trained_on}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(info.created))}"
    )
    _say(f"epochs        {info.epochs}, best {info.best_epoch}")
    _say(f"validation    {info.validation_accuracy:.1%}")
    if test:
        _say(f"test          {test.accuracy:.1%} of {test.n:,} ({test.low:.1%} to {test.high:.1%})")
    else:
        _say("test          not read: training did not end")
    _say(
        "settings      "
        + "  ".join(f"{k} {cfg.shown(v)}" for k, v in info.settings.items() if k != "data")
    )
    return 0


def _colours(channels: int) -> str:
    return "gray" if channels == 1 else "colour"
