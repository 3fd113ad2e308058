"""Rows on starting, on attaching, and on the memory that the screen takes."""

from __future__ import annotations

import statistics
import sys

from benchmarks import first_frame
from benchmarks.screen_lab import (
    ENTER,
    EPOCHS,
    Figure,
    Lab,
    app,
    highest_resident,
    living,
    press,
    recorded,
    resident,
    settle,
    shown,
    watch,
)

MILLION = 1_000_000


def start(lab: Lab) -> list[Figure]:
    """The first frame against a bare Textual app beside it, turn by turn; the first turn only warms up."""
    taken: dict[str, list[float]] = {program.name: [] for program in first_frame.PROGRAMS}
    for turn in range(lab.rounds + 1):
        for program in first_frame.PROGRAMS:
            times = first_frame.measure(program, str(lab.folder))
            if turn:
                taken[program.name].append(times.first_frame)
    bare, ours = (statistics.median(taken[program.name]) for program in first_frame.PROGRAMS)
    note = f"{ours:.0f} ms against {bare:.0f} ms, medians of {lab.rounds}"
    heavy = first_frame.loaded()
    with app(lab, columns=80, rows=24) as terminal:
        terminal.wait_for("Train a model")
        settle(terminal)
        home = resident(terminal)
    return [
        Figure("start", "first frame ÷ bare Textual app", ours / bare, "×", 1.3, note),
        Figure("start", "heavy modules loaded by then", len(heavy), "", 0, ", ".join(heavy)),
        Figure("start", "memory on the first screen", home, "MB", 60),
        *dashboard_memory(lab),
    ]


def dashboard_memory(lab: Lab) -> list[Figure]:
    """The memory with the dashboard of an ordinary run open."""
    run = recorded(lab, 10_000)
    with living(run, 10, 10_001, 1000), app(lab) as terminal:
        watch(terminal)
        terminal.wait_for("images/s")
        settle(terminal, 0.3, timeout=5)
        return [Figure("start", "memory with the dashboard open", resident(terminal), "MB", 100)]


def attach(lab: Lab) -> list[Figure]:
    """From the key on the first screen to the last change on the dashboard of a very long run."""
    run = recorded(lab, MILLION, MILLION // EPOCHS)
    seconds, memory = [], 0.0
    last = f"{shown(MILLION):,} images/s"
    with living(run):
        for _ in range(min(lab.rounds, 3)):
            with app(lab) as terminal:
                terminal.wait_for("running now", timeout=60)
                settle(terminal)
                pressed = press(terminal, ENTER)
                terminal.wait_for(last, timeout=120)
                seconds.append(settle(terminal, 1.5) - pressed)
                memory = max(memory, highest_resident(terminal))
                if "┤" not in terminal.text:
                    sys.exit(f"no charts on the dashboard:\n{terminal.text}")
    what = "attaching to 1,000,000 steps, until all stands"
    return [
        Figure("attach", what, statistics.median(seconds), "s", 2),
        Figure("attach", "the most memory for that", memory, "MB", 200),
    ]
