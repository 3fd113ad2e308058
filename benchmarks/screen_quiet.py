"""Rows on what goes over the line: bytes while a run lives, nothing while nothing happens, a line that stalls."""

from __future__ import annotations

import re
from pathlib import Path
from time import monotonic, perf_counter, sleep

from benchmarks.screen_lab import (
    Figure,
    Lab,
    app,
    app_process,
    listen,
    living,
    recorded,
    settle,
    shown,
    watch,
)
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.log import read_ends
from tests.terminal.harness import Terminal

KB = 1024
FULL_FRAME_KB = 40
_IMAGES = re.compile(r"([\d,]+) images/s")


def bytes_sent(lab: Lab) -> list[Figure]:
    """The dashboard at 120x40 while its run speaks ten times a second; then the first screen, idle."""
    seconds = 10 * lab.rounds
    run = recorded(lab, 2_000, 100)
    with living(run, 10, 2_001), app(lab) as terminal:
        watch(terminal)
        terminal.wait_for("images/s")
        listen(terminal, 3)
        sent = listen(terminal, seconds)
    live = Figure("bytes", "dashboard at ten steps a second", sent / seconds / KB, "KB/s", 6)
    return [live, *idle(lab)]


def idle(lab: Lab, seconds: float = 20) -> list[Figure]:
    """The first screen with nothing to do."""
    with app(lab, columns=80, rows=24) as terminal:
        terminal.wait_for("Train a model")
        settle(terminal, 2)
        process = app_process(terminal)
        before = sum(process.cpu_times()[:2])
        sent = listen(terminal, seconds)
        busy = (sum(process.cpu_times()[:2]) - before) / seconds
    return [
        Figure("bytes", "first screen, idle", sent / seconds, "B/s", 0),
        Figure("bytes", "processor time of that", 100 * busy, "%", 0.5),
    ]


def stall(lab: Lab) -> list[Figure]:
    """A terminal that takes nothing for a while, as over a line that hangs, and then goes on."""
    seconds = 60 if lab.rounds > 1 else 20
    run = recorded(lab, 2_000, 100)
    lags = lab.folder / "lags"
    with (
        living(run, 10, 2_001),
        app(
            lab, module="benchmarks.watched_app", environment={"SCREEN_LAGS": str(lags)}
        ) as terminal,
    ):
        watch(terminal)
        terminal.wait_for("images/s")
        listen(terminal, 3)
        before, began = len(terminal.raw), monotonic()
        sleep(seconds)
        resumed = perf_counter()
        newest = newest_step(run)
        fresh = _until_shown(terminal, newest) - resumed
        listen(terminal, max(resumed + 1 - perf_counter(), 0))
        burst = (len(terminal.raw) - before) / KB
    note = f"after {seconds} s"
    return [
        Figure("stall", "the loop's longest delay meanwhile", longest(lags, began), "s", 1, note),
        Figure("stall", "the newest state after reading again", fresh, "s", 1, note),
        Figure("stall", "bytes in the first second after", burst, "KB", FULL_FRAME_KB, note),
    ]


def newest_step(run: RunFolder) -> int:
    """Return the last step that the run has said."""
    said = [
        event.step
        for event in read_ends(run.path / "events.jsonl", 4096, 4096)
        if isinstance(event, ev.Step)
    ]
    return said[-1]


def _until_shown(terminal: Terminal, step: int) -> float:
    """Read until the screen shows `step` or a later one; return when (`perf_counter`)."""

    def is_shown() -> bool:
        found = _IMAGES.search(terminal.text)
        return found is not None and int(found[1].replace(",", "")) >= shown(step)

    terminal.wait_until(is_shown, f"step {step}")
    return terminal.heard_at


def longest(lags: Path, since: float) -> float:
    """Return the longest delay of the loop that was noted after the monotonic time `since`."""
    noted = (line.split() for line in lags.read_text().splitlines())
    return max((float(late) for at, late in noted if float(at) >= since), default=0.0)
