"""What the headless verbs print: lines for people, or one JSON object a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Any, TypeVar

import msgspec

from core import config as cfg
from core.dataset.report import Imported
from core.engine import ModelInfo, Report
from core.errors import UserError
from core.live import LiveLine, is_piped
from core.runs import events as ev
from core.runs.folder import RunFolder, RunSummary
from core.runs.heartbeat import SILENT_SECONDS
from core.runs.snapshot import STAGES, LogLine, RunView
from core.text import count, duration, safe_text

Found = TypeVar("Found")

# So many files of one finding are named for people.
LISTED = 5


def print_json(thing: Any) -> None:
    """Print one object on one line, at once."""
    sys.stdout.buffer.write(msgspec.json.encode(thing) + b"\n")
    sys.stdout.buffer.flush()


def tell(found: Found, as_json: bool, lines: Callable[[Found], Iterable[str]]) -> None:
    """Print what was found: one JSON object, or what `lines` makes of it for people."""
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        say(line)


def say(text: str) -> None:
    """Print a line for people, at once."""
    print(safe_text(text), flush=True)


def warn(text: str) -> None:
    """Print a line for people about what does not end the command."""
    print(f"warning: {safe_text(text)}", file=sys.stderr, flush=True)


def complain(error: UserError) -> None:
    """Print an error for people: what happened, and the next step."""
    print(f"error: {safe_text(error.title)}\n{safe_text(error.hint)}", file=sys.stderr, flush=True)


class RunPrinter:
    """Prints a run's events as they come, after the first `past`, and how it ended."""

    def __init__(self, run: RunFolder, as_json: bool, past: int = 0) -> None:
        self._run = run
        self._json = as_json
        self._view = RunView()
        self._last: ev.AnyEvent | None = None
        self._shown: LogLine | None = None
        self._silent = False
        self._past = past
        # What the next program of a pipe prints would come between.
        self._live = LiveLine(not (as_json or is_piped()))
        self.events = 0

    def show(self, event: ev.AnyEvent) -> None:
        self._last = event
        self.events += 1
        self._view.apply([event])
        if self.events <= self._past:
            if self.events == self._past:
                self._shown = self._last_line()
            return
        if self._json:
            print_json(event)
        elif isinstance(event, ev.Preparing):
            self._live.count(STAGES[event.stage], event.done, event.total)
        elif isinstance(event, ev.Step):
            if self._live.due:
                self._live.show(self._step_line(event))
        else:
            self._live.clear()
            self._tell(event)

    def _tell(self, event: ev.AnyEvent) -> None:
        """Print what stays on the terminal."""
        if isinstance(event, ev.EpochEnded):
            say(self._epoch_line(event))
        elif isinstance(event, ev.Pulse):
            say(f"pulse: {event.text} {event.hint}".rstrip())
            self._shown = self._last_line()
        elif not isinstance(event, ev.RunFailed):
            self._show_log()

    def clear(self) -> None:
        """Take away what tells how far it is, for something else to be printed."""
        self._live.clear()

    def note_silence(self, seconds: float) -> None:
        """Say once that a living trainer gives no sign of life."""
        if seconds < SILENT_SECONDS:
            self._silent = False
        elif not self._silent:
            self._silent = True
            self._live.clear()
            words = "it may be stopped, or hang on a disk or a driver"
            print(f"no sign of life for {duration(seconds)}: {words}", file=sys.stderr, flush=True)

    def finish(self) -> int:
        """Say how the run ended where that is not good, and return the exit code."""
        if isinstance(self._last, ev.RunEnded):
            return 0
        if isinstance(self._last, ev.RunFailed):
            complain(UserError(self._last.title, self._last.hint))
            return self._last.exit_code
        now = self._view.snapshot()
        title = f"Training of {self._run.name} was interrupted: its process is gone."
        model = (
            f"The model of epoch {now.saved.epoch} is safe in {now.saved.path}."
            if now.saved
            else f"No model was saved yet; {self._run.worker_log} has its last words."
        )
        where = f"Go on from step {now.saved_step:,}" if now.saved_step else "Begin it anew"
        complain(UserError(title, f"{model} {where}: run_tui.py resume {self._run.name}"))
        return 3

    def _show_log(self) -> None:
        """Print the lines of the log that are new: an event may have several."""
        log = self._view.snapshot().log
        new = list(takewhile(lambda line: line is not self._shown, reversed(log)))
        for line in reversed(new):
            say(line.text)
        self._shown = log[-1] if log else None

    def _last_line(self) -> LogLine | None:
        return (self._view.snapshot().log or (None,))[-1]

    def _step_line(self, step: ev.Step) -> str:
        """Return how far the run is within its epoch."""
        now = self._view.snapshot()
        done = step.step - (step.epoch - 1) * now.steps_per_epoch
        left = f"  {duration(now.seconds_left)} left" if now.seconds_left else ""
        return (
            f"epoch {step.epoch}/{now.epochs_planned}  step {done:,}/{now.steps_per_epoch:,}"
            f"  loss {step.loss:.3f}  train {step.accuracy:.1%}"
            f"  {step.images_per_second:,.0f} images/s{left}"
        )

    def _epoch_line(self, event: ev.EpochEnded) -> str:
        now = self._view.snapshot()
        left = f"  {duration(now.seconds_left)} left" if now.seconds_left else ""
        return (
            f"epoch {event.epoch}/{now.epochs_planned}  loss {event.loss:.3f}"
            f"  train {event.accuracy:.1%}  validation {event.validation_accuracy:.1%}"
            f"{' *' if event.best else '  '}  {event.images_per_second:,.0f} images/s{left}"
        )


def run_line(run: RunSummary) -> str:
    """Return a run as a line of the list."""
    if run.test:
        score = f"  {run.test.accuracy:.1%} test"
    elif run.best_validation is not None:
        score = f"  {run.best_validation:.1%} validation"
    else:
        score = ""
    left = f"  {duration(run.seconds_left)} left" if run.seconds_left and run.alive else ""
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    return f"{run.state:<12} {run.name:<40} {day}  epoch {run.epoch}/{run.epochs}{score}{left}"


def report_lines(report: Report) -> list[str]:
    """Return what the doctor found, for people; long lists are cut, `--json` has them whole."""
    kinds = {0: "", 1: ", all gray", 3: ", in colour"}[report.channels]
    lines = [f"{report.images:,} usable pictures{kinds}{_sizes(report)}"]
    if report.dealt:
        lines.append(
            f"used as dealt into {', '.join(report.dealt)}; what is missing is dealt from train"
        )
    lines += _class_lines(report)
    for finding in report.findings:
        lines.append(f"{'!' if finding.level == 'warning' else '-'} {finding.text}")
        lines += _some([" = ".join(group) for group in finding.groups] or finding.files)
    by_reason: dict[str, list[str]] = {}
    for file in report.left_out:
        by_reason.setdefault(file.reason, []).append(file.path)
    for reason, paths in by_reason.items():
        lines.append(f"- left out, {count(len(paths), 'file')}: {reason}")
        lines += _some(paths)
    return [*lines, "can be trained on"] if report.trainable else lines


def _sizes(report: Report) -> str:
    small, middle, large = (f"{w}×{h}" for w, h in (report.smallest, report.median, report.largest))
    if not report.largest[0]:
        return ""
    return f", {small}" if small == large else f", {small} to {large}, mostly about {middle}"


def _class_lines(report: Report) -> list[str]:
    """Return a line per class, with how many of it train, validate and test where that is known."""
    if not report.parts:
        return [f"  {name:<24} {number:>9,}" for name, number in report.classes.items()]
    head = f"  {'class':<24} {'pictures':>9} {'train':>9} {'validation':>11} {'test':>9}"
    rows = zip(report.classes.items(), report.parts, strict=True)
    return [head] + [
        f"  {name:<24} {number:>9,} {train:>9,} {validation:>11,} {test:>9,}"
        for (name, number), (train, validation, test) in rows
    ]


def _some(names: Sequence[str]) -> list[str]:
    """Return the first of `names` as lines, and how many there are beyond."""
    shown = [f"    {name}" for name in names[:LISTED]]
    return shown + ([f"    … and {len(names) - LISTED:,} more"] if len(names) > LISTED else [])


def imported_lines(imported: Imported) -> list[str]:
    """Return what came of a table, for people."""
    lines = [f"{count(sum(imported.classes.values()), 'picture')} written to {imported.folder}"]
    lines += [f"  {name:<24} {number:>9,}" for name, number in imported.classes.items()]
    if imported.bad_rows:
        lines.append(f"! left out, {count(imported.bad_rows, 'row')}:")
        lines += _some([f"line {row.line:,} {row.reason}" for row in imported.left_out])
    return lines


def _temperature(value: float) -> str:
    if value == 1.0:
        return "as the network gives it"
    return f"calibrated on the validation part, temperature {value:.2f}"


def info_lines(info: ModelInfo) -> list[str]:
    """Return what a model file says of itself, for people."""
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created))
    colours = "gray" if info.card.preprocessing.channels == 1 else "colour"
    settings = ((k, v) for k, v in info.settings.items() if k not in ("data", "out"))
    test = "not read: training was cut off before"
    if info.test:
        low, high = f"{info.test.low:.1%}", f"{info.test.high:.1%}"
        test = (
            f"{info.test.accuracy:.1%} of {info.test.n:,} pictures (95 % interval {low} to {high})"
        )
    return [
        f"model       {info.path} (intact: its content matches its hash)",
        f"classes     {', '.join(info.classes)}",
        f"input       {info.image_size}×{info.image_size}, {colours}",
        f"trained on  {info.trained_on}, {day}",
        f"epochs      {info.epochs}, the best was {info.best_epoch}",
        f"validation  {info.validation_accuracy:.1%}",
        f"test        {test}",
        f"confidence  {_temperature(info.card.preprocessing.temperature)}",
        "settings    " + "  ".join(f"{k} {cfg.shown(v)}" for k, v in settings),
    ]
