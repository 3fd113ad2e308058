"""How long until you see something: the first frame, against the least that Textual can do.

    python -m benchmarks.first_frame [--rounds 7]

Both programs start in a real pseudo-terminal of 80x24, taking turns, so that what else the machine
does hits both alike. The time runs from the start of the process to the bytes that complete the
text on the screen; the table shows medians. It also checks what must not be loaded by then.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

from tests.terminal.harness import ROOT, Terminal, python

HEAVY = ("torch", "torchvision", "httpx", "numpy", "PIL", "plotext")

# Runs on its own: this process has modules loaded that do not count.
_LOADED = f"""
import asyncio, json, sys
import run_tui
from core.engine import Engine
from tui.app import AlexNetApp

async def mount():
    app = AlexNetApp(Engine())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()

asyncio.run(mount())
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


class Program(NamedTuple):
    """A program, and the text of its first real frame."""

    name: str
    command: list[str]
    text: str


PROGRAMS = (
    Program("bare Textual", python("-m", "benchmarks.bare_app"), "bare and ready"),
    Program("run_tui.py", python("run_tui.py"), "Train a model"),
)


class Times(NamedTuple):
    """When the first byte and the first frame came, in milliseconds after the start."""

    first_byte: float
    first_frame: float


def measure(program: Program, folder: str) -> Times:
    """Start `program` once, in an empty home, and time it."""
    places = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = dict.fromkeys(places, folder)
    with Terminal(program.command, columns=80, rows=24, environment=environment) as terminal:
        terminal.wait_until(lambda: bool(terminal.raw), "the first byte", timeout=60)
        first_byte = terminal.heard_at - terminal.started_at
        terminal.wait_for(program.text, timeout=60)
        return Times(1000 * first_byte, 1000 * (terminal.heard_at - terminal.started_at))


def loaded() -> list[str]:
    """Return which heavy modules are loaded once the home screen is mounted."""
    result = subprocess.run(
        python("-c", _LOADED), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        raise SystemExit(f"the home screen could not be mounted:\n{result.stderr}")
    modules: list[str] = json.loads(result.stdout.splitlines()[-1])
    return modules


def main() -> int:
    """Measure, print a table and a line of JSON; 1 if something heavy was loaded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="starts of each program (default 7)")
    rounds = max(parser.parse_args().rounds, 1)
    times: dict[str, list[Times]] = {program.name: [] for program in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        # The first start of each fills the page cache and writes byte code; it is not counted.
        for turn in range(rounds + 1):
            for program in PROGRAMS:
                taken = measure(program, folder)
                if turn:
                    times[program.name].append(taken)
    heavy = loaded()
    report(times, heavy)
    return 1 if heavy else 0


def report(times: dict[str, list[Times]], heavy: list[str]) -> None:
    """Print what was measured."""
    print(f"{'program':<14}{'first byte':>12}{'first frame':>13}   (ms, median; lowest to highest)")
    medians = {}
    for name, taken in times.items():
        frames = sorted(t.first_frame for t in taken)
        medians[name] = statistics.median(frames)
        byte = statistics.median(t.first_byte for t in taken)
        print(
            f"{name:<14}{byte:>12.0f}{medians[name]:>13.0f}   {frames[0]:.0f} to {frames[-1]:.0f}"
        )
    bare, ours = (medians[program.name] for program in PROGRAMS)
    print(
        f"ratio {ours / bare:.2f}; loaded by then of {', '.join(HEAVY)}: {', '.join(heavy) or 'none'}"
    )
    figures = {
        "benchmark": "first_frame",
        "rounds": len(times[PROGRAMS[0].name]),
        "bare_ms": round(bare, 1),
        "app_ms": round(ours, 1),
        "ratio": round(ours / bare, 3),
        "loaded": heavy,
        "python": sys.version.split()[0],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
