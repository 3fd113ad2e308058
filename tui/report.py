"""A run in words: the lines of the dashboard, each made from one snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

from rich.cells import cell_len
from textual.content import Content

from core.runs import events as ev
from core.runs.snapshot import LIVING, STAGES, Level, LogLine, Snapshot
from core.text import count, duration, percent, safe_text
from tui.commands import key_of
from tui.vitals import joined, speed
from tui.words import NAME_WIDTH, home_path, lines, meter, plain

STATES = {
    "prepared": "prepared",
    "starting": "starting",
    "preparing": "preparing",
    "training": "training",
    "paused": "paused",
    "stopping": "stopping",
    "evaluating": "testing",
    "finished": "finished",
    "stopped": "stopped early",
    "failed": "failed",
    "interrupted": "interrupted",
}
ORDERS = {
    "pause": "will pause",
    "go": "will go on",
    "stop": "will stop after this epoch",
    "stop-now": "will stop now",
}
# The cells of a clock and a mark.
LOG_INDENT = 12
MARKS: dict[Level, tuple[str, str]] = {
    "info": (" ", ""),
    "good": ("★", "$text-success"),
    "warning": ("!", "$text-warning"),
    "error": ("✗", "$text-error"),
}


def state_style(now: Snapshot) -> str:
    """Return the colour of the run's state; the word itself says the same."""
    if now.state in ("failed", "interrupted"):
        return "bold $text-error"
    if now.state in ("prepared", "paused", "stopping", "stopped"):
        return "bold $text-warning"
    return "bold $text-success"


def header(now: Snapshot, run: str, asked: str | None) -> Content:
    """Return which run this is, how far it is, and what it does."""
    data = Path(now.started.data).name if now.started else ""
    parts = [Content.styled(STATES[now.state], state_style(now))]
    if asked is not None:
        parts.append(Content.styled(ORDERS[asked], "$text-warning"))
    if now.epoch:
        parts.append(Content(f"epoch {now.epoch}/{now.epochs_planned}"))
    if data:
        parts.append(plain(data, "bold", NAME_WIDTH))
    parts.append(plain(run, "$foreground 60%"))
    return Content(" · ").join(parts)


def progress(now: Snapshot, width: int, ascii_only: bool = False) -> Content:
    """Return the bars of the run and of the epoch, or of the work before the first step."""
    if now.state == "evaluating" and (now.preparing is None or now.preparing.stage != "certify"):
        return Content(" saving the model")
    if now.training is None or now.state == "evaluating":
        return preparing(now, width, ascii_only)
    waits = now.state in LIVING and now.seconds_left is not None
    left = f"  {duration(now.seconds_left or 0)} left" if waits else ""
    half = max((width - len(" run 100 %   epoch 100 % ") - len(left)) // 2, 4)
    return Content.assemble(
        " run ",
        meter(now.fraction, half, ascii_only),
        f" {now.fraction * 100:.0f} %   epoch ",
        meter(now.epoch_fraction, half, ascii_only),
        f" {now.epoch_fraction * 100:.0f} %",
        (left, "bold"),
    )


def preparing(now: Snapshot, width: int, ascii_only: bool = False) -> Content:
    """Return what is done before the first step, or after the last."""
    if now.preparing is None:
        if now.state == "prepared":
            return Content(" waiting for its launcher, such as torchrun")
        return Content(" waiting for the trainer" if now.state in LIVING else "")
    work = now.preparing
    what = f" {STAGES[work.stage]} {work.done:,}"
    if not work.total:
        return Content(what)
    what += f" of {work.total:,} "
    return Content(what) + meter(work.done / work.total, max(width - len(what) - 1, 4), ascii_only)


def stats(now: Snapshot, width: int) -> Content:
    """Return the numbers of this moment on one line of `width` cells, the last ones only if they fit."""
    parts = []
    if now.best is not None:
        best = f"best {percent(now.best.validation_accuracy)} at epoch {now.best.epoch}"
        parts.append(Content.styled(best, "bold"))
    if now.step is not None:
        parts.append(Content(speed(now.step)))
        parts.append(Content(f"lr {now.step.learning_rate:.2g}"))
        parts.append(Content(f"loss {now.step.loss:.3f}"))
    if now.started is not None:
        device = f"{now.started.device_name}, {now.started.precision}"
        parts.append(plain(device, "$foreground 60%", NAME_WIDTH))
    return joined(parts, " │ ", width)


def log_line(line: LogLine, width: int) -> Content:
    """Return a line of the log; its mark says as much as its colour.

    What does not fit in `width` cells goes on below the words, so that the times stand alone.
    """
    mark, style = MARKS[line.level]
    clock = time.strftime("%H:%M:%S", time.localtime(line.time))
    text = safe_text(line.text)
    if LOG_INDENT + cell_len(text) > width:
        hang = "\n" + " " * LOG_INDENT
        text = hang.join(wrap(text, max(width - LOG_INDENT, LOG_INDENT), break_on_hyphens=False))
    return Content.assemble((f" {clock} ", "$foreground 60%"), (f"{mark} ", style), (text, style))


def outcome(
    now: Snapshot,
    last_words: str,
    death: str = "",
    key: Callable[[str], str] = key_of,
    model: Path | None = None,
) -> Content | None:
    """Return how the run ended, None while it goes on; `death` is what ended its trainer, if that is known.

    By `key` a command is called, which is named by its id; `model` is the one that the run has left.
    """
    if now.state == "failed" and now.failed is not None:
        failed = [plain(f"✗ {now.failed.title}", "bold $text-error"), plain(now.failed.hint)]
        return lines(*failed, *_last_words(last_words))
    if now.state == "interrupted":
        return lines(*_interrupted(now, death, key), *_last_words(last_words))
    return lines(*_result(now, key, model)) if now.ended is not None else None


def _interrupted(now: Snapshot, death: str, key: Callable[[str], str]) -> list[Content]:
    where = f"at step {now.steps_done:,}" if now.steps_done else "before its first step"
    cause = death or "its process is gone: perhaps killed, or memory ran out"
    saved, again = "No checkpoint yet.", "begin anew"
    if now.saved_step:
        saved, again = f"Saved up to step {now.saved_step:,}.", "resume"
    best = f"  The model of epoch {now.saved.epoch:,} is safe." if now.saved else ""
    return [
        plain(f"✗ Training stopped {where} ({cause}).", "bold $text-error"),
        Content.assemble(
            saved, best, "  ", (f"{key('dashboard.resume')}: {again}", "bold $text-accent")
        ),
    ]


def _last_words(text: str) -> list[Content]:
    return [plain(line, "$foreground 60%") for line in text.splitlines()]


def _result(now: Snapshot, key: Callable[[str], str], model: Path | None) -> list[Content]:
    ended = now.ended
    assert ended is not None
    test = ended.test
    found = [
        Content.assemble(
            (f"★ Test accuracy {percent(test.accuracy)}", "bold $text-success"),
            f"  (95 % interval {percent(test.low)} to {percent(test.high)}, {test.n:,} pictures)",
        )
    ]
    if now.certified is not None:
        found.append(certificate(now.certified))
    named = Content.assemble("Model ", (home_path(model or ended.model), "bold"))
    if model is None:
        named = Content.assemble(named, ("  is a later run's by now", "$text-warning"))
    found.append(named)
    classify = f"{key('dashboard.classify')}: classify with it   " if model else ""
    took = f"{count(ended.epochs, 'epoch')} in {duration(ended.seconds)}, best at epoch {ended.best_epoch}"
    found.append(
        Content.assemble(
            (f"{took}.  ", "$foreground 60%"),
            (classify, "bold $text-accent"),
            (f"{key('dashboard.report')}: report", "bold $text-accent"),
        )
    )
    return found


def certificate(found: ev.Certified) -> Content:
    """Return whether the saved file answers as the trained model did."""
    certified, refused = ("✓ certified", "$text-success"), ("✗ NOT certified", "bold $text-error")
    same = f": the saved file gives the same label on {found.same_label} of {found.n} pictures"
    within = f"confidence within {found.largest_difference:.0e}"
    near = f", {within}" if found.largest_difference else ", with the same confidence"
    return Content.assemble(certified if found.passed else refused, same, near)
