"""What the headless verbs print: lines for people, or one JSON object a line."""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec

from core import config as cfg
from core.engine import ModelInfo, Report
from core.errors import UserError
from core.runs import events as ev
from core.runs.folder import RunFolder, RunSummary
from core.runs.snapshot import LogLine, RunView
from core.text import count, duration, safe_text


def print_json(thing: Any) -> None:
    """Print one object on one line, at once."""
    sys.stdout.buffer.write(msgspec.json.encode(thing) + b"\n")
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    """Print a line for people, at once."""
    print(safe_text(text), flush=True)


def complain(error: UserError) -> None:
    """Print an error for people: what happened, and the next step."""
    print(f"error: {safe_text(error.title)}\n{safe_text(error.hint)}", file=sys.stderr, flush=True)


class RunPrinter:
    """Prints a run's events as they come, and how it ended."""

    def __init__(self, run: RunFolder, as_json: bool) -> None:
        self._run = run
        self._json = as_json
        self._view = RunView()
        self._last: ev.AnyEvent | None = None
        self._shown: LogLine | None = None
        self.events = 0

    def show(self, event: ev.AnyEvent) -> None:
        self._last = event
        self.events += 1
        self._view.apply([event])
        if self._json:
            print_json(event)
        elif isinstance(event, ev.EpochEnded):
            say(self._epoch_line(event))
        elif not isinstance(event, ev.RunFailed | ev.Step):
            self._show_log()

    def finish(self) -> int:
        """Say how the run ended where that is not good, and return the exit code."""
        if isinstance(self._last, ev.RunEnded):
            return 0
        if isinstance(self._last, ev.RunFailed):
            complain(UserError(self._last.title, self._last.hint))
            return self._last.exit_code
        saved = self._view.snapshot().saved
        complain(
            UserError(
                f"Training of {self._run.name} was interrupted: its process is gone.",
                f"The model of epoch {saved.epoch} is safe in {saved.path}."
                if saved
                else f"Nothing was saved yet; {self._run.worker_log} has its last words.",
            )
        )
        return 3

    def _show_log(self) -> None:
        log = self._view.snapshot().log
        if log and log[-1] is not self._shown:
            self._shown = log[-1]
            say(log[-1].text)

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
    """Return what the doctor found, for people."""
    kinds = {0: "", 1: ", all gray", 3: ", in colour"}[report.channels]
    lines = [f"{report.images:,} usable pictures{kinds}"]
    lines += [f"  {name:<24} {number:>9,}" for name, number in report.classes.items()]
    lines += [f"left out: {finding.path}: {finding.reason}" for finding in report.left_out]
    if report.duplicates:
        lines.append(f"{count(report.duplicates, 'copy', 'copies')}, kept on one side of the split")
    if report.in_two_classes:
        lies = count(report.in_two_classes, "picture lies", "pictures lie")
        lines.append(f"{lies} in more than one class")
    lines.append(
        "can be trained on" if report.trainable else f"cannot be trained on: {report.problem}"
    )
    return lines


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
        "settings    " + "  ".join(f"{k} {cfg.shown(v)}" for k, v in settings),
    ]
