"""Rows with a real training beside the screen: how soon a key is answered, and what watching costs."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import psutil

from benchmarks.screen_lab import Figure, Lab, app, listen, press, processes, watch
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.terminal.harness import ROOT, Terminal, python

Said = TypeVar("Said", bound=ev.AnyEvent)
PICTURES = 400
WINDOW_SECONDS = 5
# By which the wished rounds are multiplied, since they are short.
TURNS = 6
ROUNDS_OF_KEYS = 14
LEFT, RIGHT = "\x1b[D", "\x1b[C"
# Keys that change the screen, and lead back to where they began: a dialog opened, walked through and
# left, the scale of a chart there and back, values read, a part looked at, help and away. Escape is
# not among them: whether it is a key of its own or the start of another is known only after a while.
PRESSED = (
    *(("dialog", "s"), ("menu", "j"), ("menu", "k"), ("menu", "j"), ("menu", "k")),
    *(("menu", "j"), ("menu", "k"), ("dialog", "g"), ("scale", "l"), ("scale", "l")),
    *(("read", LEFT), ("read", LEFT), ("read", RIGHT), ("zoom", "+"), ("zoom", "+")),
    *(("zoom", "-"), ("zoom", "0"), ("help", "?"), ("help", "?")),
)


@contextmanager
def training(lab: Lab) -> Iterator[RunFolder]:
    """Have AlexNet trained by the real trainer, on all cores, until this is over."""
    data = lab.data or lab.folder / "faces"
    if lab.data is None:
        _do(lab, "demo", str(data), "--images", str(PICTURES))
    options = ["--image-size", "64", "--batch-size", "32", "--epochs", "1000", "--detach"]
    out = ["--out", str(lab.folder / "model.safetensors")]
    _do(lab, "train", str(data), *options, *out)
    (path,) = lab.runs.iterdir()
    run = RunFolder(path)
    try:
        pid = _first(run, ev.RunStarted).pid
        _first(run, ev.Step)
        yield run
    finally:
        psutil.Process(pid).kill()


def _do(lab: Lab, *words: str) -> None:
    subprocess.run(
        python("run_tui.py", *words),
        cwd=ROOT,
        env=os.environ | lab.environment,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def _first(run: RunFolder, kind: type[Said], timeout: float = 300) -> Said:
    """Wait for the first event of a kind."""
    reader, end = run.reader(), time.monotonic() + timeout
    while time.monotonic() < end:
        for event in reader.read():
            if isinstance(event, kind):
                return event
        time.sleep(0.1)
    raise SystemExit(f"the training did not come to its first {kind.__name__}")


def keys(lab: Lab) -> list[Figure]:
    """From a key to the first bytes of what it changes, on the dashboard with its charts alive."""
    taken: dict[str, list[float]] = {name: [] for name, _ in PRESSED}
    chance = random.Random(0)
    with training(lab), app(lab) as terminal:
        watch(terminal)
        terminal.wait_for("images/s", timeout=60)
        # Each key once before it counts, so that what is loaded at first use is.
        for turn in range(1 + ROUNDS_OF_KEYS):
            for name, key in PRESSED:
                seconds = _answer(terminal, key)
                if turn:
                    taken[name].append(1000 * seconds)
                listen(terminal, chance.uniform(0.03, 0.12))
    everything = sorted(ms for kind in taken.values() for ms in kind)
    kinds = (f"{name} {statistics.median(kind):.0f}" for name, kind in taken.items())
    note = f"{len(everything)} keys; medians by key: {', '.join(kinds)}"
    return [
        Figure("keys", "key to repaint, half of them", _part(everything, 0.5), "ms", 10, note),
        Figure("keys", "key to repaint, 95 of 100", _part(everything, 0.95), "ms", 50),
    ]


def _answer(terminal: Terminal, key: str, most: float = 1.0) -> float:
    """Press `key`; return the seconds until something comes."""
    pressed = press(terminal, key)
    return terminal.heard_at - pressed if terminal.read(most) else most


def _part(ordered: list[float], part: float) -> float:
    """Return the number below which `part` of the numbers lie."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def cost(lab: Lab) -> list[Figure]:
    """What the training loses while somebody watches: turn by turn with the screen awake, and asleep.

    Asleep it is stopped by a signal, so that nothing else changes between turns of seconds, which on a
    shared machine are the more alike the shorter they are.
    """
    ratios, control = [], []
    with training(lab) as run, app(lab) as terminal:
        watch(terminal)
        terminal.wait_for("images/s", timeout=60)
        listen(terminal, 10)
        screen = processes(terminal)
        for _ in range(TURNS * lab.rounds):
            watched = _span(terminal)
            for process in screen:
                process.suspend()
            spans = [_span(terminal), _span(terminal)]
            for process in reversed(screen):
                process.resume()
            spans.append(_span(terminal))
            first, second, third, fourth = (_speed(run, *span) for span in [watched, *spans])
            ratios.append((first + fourth) / (second + third))
            control.append(third / second)
    lost = 100 * (1 - statistics.median(ratios))
    apart = 100 * statistics.median(abs(1 - ratio) for ratio in control)
    note = f"median of {len(ratios)} turns; two asleep one after the other {apart:.1f} % apart"
    return [Figure("cost", "images/s lost while the dashboard is open", lost, "%", 2, note)]


def _span(terminal: Terminal) -> tuple[float, float]:
    """Let some seconds pass in which the terminal is read; return when they began and ended."""
    began = time.time()
    listen(terminal, WINDOW_SECONDS)
    return began, time.time()


def _speed(run: RunFolder, began: float, ended: float) -> float:
    """Return the mean images a second of the steps between two moments, without what is between them."""
    steps = (event for event in read_all(run) if isinstance(event, ev.Step))
    return statistics.mean(
        event.images_per_second for event in steps if began <= event.time <= ended
    )


def read_all(run: RunFolder) -> list[ev.AnyEvent]:
    """Return all that the run has said so far."""
    reader, said = run.reader(), []
    while events := reader.read():
        said += events
    return said
