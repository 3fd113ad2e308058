"""The screens over a line, measured in a real pseudo-terminal: how fast, how quiet, how small.

    python -m benchmarks.screen [--only ROW,…] [--rounds 5] [--data DIR]

Each row starts the program as a person would and reads what it sends. DIR is a folder of class folders
to train on where a row needs a real training; without it faces are drawn. Prints a table, then a line of
JSON for each figure; exits 1 where a figure is over its bound.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import screen_folders, screen_odd, screen_quiet, screen_start, screen_training
from benchmarks.screen_lab import Figure, Lab, lab

ROWS: dict[str, Callable[[Lab], list[Figure]]] = {
    "start": screen_start.start,
    "attach": screen_start.attach,
    "keys": screen_training.keys,
    "cost": screen_training.cost,
    "bytes": screen_quiet.bytes_sent,
    "stall": screen_quiet.stall,
    "spike": screen_odd.spike,
    "folders": screen_folders.folders,
    "sizes": screen_odd.sizes,
}


def main() -> int:
    """Measure the rows that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often what can be repeated is")
    parser.add_argument("--data", type=Path, help="class folders to train on")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := [row for row in wanted if row not in ROWS]:
        parser.error(f"there is no row {', '.join(unknown)}")
    figures = []
    for row in wanted:
        with lab(max(options.rounds, 1), options.data) as place:
            for figure in ROWS[row](place):
                figures.append(figure)
                print(line(figure), flush=True)
    for figure in figures:
        print(json.dumps(as_json(figure)))
    return 0 if all(figure.kept for figure in figures) else 1


def line(figure: Figure) -> str:
    """Return a row of the table."""
    value = f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}"
    bound = "" if figure.bound is None else f"≤ {figure.bound:g}"
    verdict = "" if figure.bound is None else ("kept" if figure.kept else "OVER")
    measured = f"{value} {figure.unit}"
    return f"{figure.row:<8} {figure.what:<50} {measured:>12} {bound:>7} {verdict:<5} {figure.note}"


def as_json(figure: Figure) -> dict[str, object]:
    """Return `figure` as one JSON object."""
    return {
        "benchmark": "screen",
        "row": figure.row,
        "what": figure.what,
        "value": round(figure.value, 4),
        "unit": figure.unit,
        "bound": figure.bound,
        "kept": figure.kept,
        "note": figure.note,
    }


if __name__ == "__main__":
    sys.exit(main())
