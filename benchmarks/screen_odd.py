"""Rows on what a chart and a window must bear: a spike of one step, five hundred sizes, the smallest."""

from __future__ import annotations

import random
import time

from benchmarks.screen_lab import Figure, Lab, app, listen, living, recorded, settle, watch

STEPS, SPIKE = 100_000, 61_803
NARROW = 40
RESIZES, STORM_SECONDS = 500, 5.0


def spike(lab: Lab) -> list[Figure]:
    """A loss of 9 in one of 100,000 steps, in a chart of 40 columns: 1 where it is not to be seen."""
    run = recorded(lab, STEPS, STEPS // 100, spike=SPIKE)
    with living(run), app(lab, columns=2 * NARROW, rows=24) as terminal:
        watch(terminal)
        terminal.wait_for("images/s", timeout=60)
        settle(terminal)
        rows = [line[:NARROW] for line in terminal.screen.display if "┤" in line or "│" in line]
    # In the upper half there is nothing but the spike, at its own step or not at all.
    upper = rows[1 : len(rows) // 2]
    frame = max(row.find("┤") for row in rows)
    drawn = {
        x
        for row in upper
        for x in range(frame + 1, NARROW)
        if row[x] not in " ⠒━●" and row[x : x + 1].strip()
    }
    expected = frame + (NARROW - frame) * SPIKE / STEPS
    seen = any(abs(x - expected) <= 2 for x in drawn)
    note = f"drawn in column {min(drawn, default=0)} of {NARROW}, its step is in {expected:.0f}"
    return [
        Figure(
            "spike", "one step of 100,000 not drawn in 40 columns", 0 if seen else 1, "", 0, note
        )
    ]


def sizes(lab: Lab) -> list[Figure]:
    """A storm of sizes on the living dashboard; then windows that are too small, and back."""
    run = recorded(lab, 2_000, 100)
    chance = random.Random(0)
    with living(run, 10, 2_001), app(lab) as terminal:
        watch(terminal)
        terminal.wait_for("images/s")
        for _ in range(RESIZES):
            terminal.resize(chance.randrange(1, 201), chance.randrange(1, 61))
            listen(terminal, STORM_SECONDS / RESIZES)
        wrong = []
        for columns, rows, expected in ((40, 10, "Needs 50×15"), (1, 1, ""), (120, 40, "images/s")):
            terminal.resize(columns, rows)
            began = time.monotonic()
            while expected not in terminal.text and time.monotonic() < began + 5:
                terminal.read(0.1)
            listen(terminal, 0.5)
            if terminal.process.poll() is not None or expected not in terminal.text:
                wrong.append(f"{columns}×{rows}")
        terminal.send("q")
        terminal.wait_for("Train a model")
    note = ", ".join(wrong)
    return [
        Figure("sizes", "wrong after 500 sizes, at 40×10, 1×1, 120×40", len(wrong), "", 0, note)
    ]
