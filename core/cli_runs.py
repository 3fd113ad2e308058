"""The verbs about runs: list, watch, order about, compare, delete."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from core.cli_follow import follow
from core.config import meta
from core.engine import Comparison, Engine
from core.errors import UserError
from core.files import expanded
from core.lines import lines_from
from core.printing import RunPrinter, complain, print_json, run_line, say, tell
from core.runs.folder import RunFolder, RunSummary
from core.runs.heartbeat import SILENT_SECONDS
from core.runs.orders import Order
from core.text import count, duration, megabytes, safe_text

NOW = "end it after the step; one that gives no sign of life is ended by a signal"

AddVerb = Callable[[str, str, Any], argparse.ArgumentParser]


def add_run_verbs(verb: AddVerb) -> None:
    """Add the verbs of this module with what they take."""
    runs = verb("runs", "list runs, the living ones first", _runs)
    runs.add_argument("dir", metavar="DIR", nargs="?", help="only the runs on this data folder")
    add_run(verb("watch", "follow a run from the first event to the last", _watch))
    for name, does in (
        ("pause", "let a living run wait"),
        ("go", "let a paused run go on"),
        ("stop", "end a living run after its epoch; the best model is kept"),
    ):
        one = verb(name, does, _order)
        one.set_defaults(order=name)
        add_run(one)
        if name == "stop":
            one.add_argument("--now", action="store_true", help=NOW)
    two = verb("compare", "what differs in two runs, and whether it is more than chance", _compare)
    add_run(two, "first")
    add_run(two, "second")
    delete = verb("delete", "delete runs that have ended; data and models stay", _delete)
    delete.add_argument("runs", metavar="RUN", nargs="+", help="a run folder, or its name")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def add_run(parser: argparse.ArgumentParser, name: str = "run") -> None:
    """Add the argument RUN, to be found in the namespace as `name`."""
    words = "a run folder, its name, or a data folder for its newest run"
    parser.add_argument(name, metavar="RUN", help=words)


async def _watch(engine: Engine, chosen: argparse.Namespace) -> int:
    run = RunFolder.find(chosen.run)
    if await asyncio.to_thread(run.awaited):
        words = "waiting for its launcher, such as torchrun, to begin it"
        print(f"{run.name}: {words}", file=sys.stderr, flush=True)
    return await follow(engine.follow(run), RunPrinter(run, chosen.json))


async def _runs(engine: Engine, chosen: argparse.Namespace) -> int:
    data = expanded(chosen.dir) if chosen.dir else None
    if data is not None and not os.path.isdir(data):  # noqa: PTH112
        raise UserError(f"There is no folder at {data}.", "See all runs: run_tui.py runs")
    found = await engine.runs(data)
    for run in found:
        if chosen.json:
            print_json(run)
        else:
            say(run_line(run))
    if not found and not chosen.json:
        say("No runs yet.")
    return 0


async def _order(engine: Engine, chosen: argparse.Namespace) -> int:
    run = RunFolder.find(chosen.run)
    order: Order = "stop-now" if getattr(chosen, "now", False) else chosen.order
    ended = await engine.order(run, order, end=order == "stop-now")
    if chosen.json:
        print_json({"run": str(run.path), "order": order, "ended": ended})
    elif ended:
        resume = f"go on from its last checkpoint: run_tui.py resume {run.name}"
        say(f"{run.name} gave no sign of life; its process was ended; {resume}")
    else:
        say(f"{order} was ordered for {run.name}")
    silent = await asyncio.to_thread(run.silence().seconds)
    if silent >= SILENT_SECONDS and not ended:
        now = f"if it does not hear, end it: run_tui.py stop {run.name} --now"
        print(f"no sign of life for {duration(silent)}: {now}", file=sys.stderr, flush=True)
    return 0


async def _compare(engine: Engine, chosen: argparse.Namespace) -> int:
    runs = [RunFolder.find(wanted) for wanted in (chosen.first, chosen.second)]
    comparison = await engine.compare(runs)
    tell(comparison, chosen.json, comparison_lines)
    return 0


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return a comparison for people: the runs, the settings that differ, what chance may have done."""
    lines = [
        f"{number}  {run.name}  {_result(run)}" for number, run in enumerate(comparison.runs, 1)
    ]
    for row in comparison.settings:
        title = str(meta(row.setting).title) if row.setting != "data" else "Data"
        values = (f"{number} {value}" for number, value in enumerate(row.values, 1))
        lines.append(f"   {title:<14} {'   '.join(values)}")
    if not comparison.settings:
        lines.append("   The settings are the same.")
    return lines + [versus.verdict for versus in comparison.versus]


def _result(run: RunSummary) -> str:
    parts = [f"{run.state}, epoch {run.epoch}/{run.epochs}"]
    if run.best_validation is not None:
        parts.append(f"{run.best_validation:.1%} validation")
    if run.test is not None:
        parts.append(f"{run.test.accuracy:.1%} test ({run.test.low:.1%} to {run.test.high:.1%})")
    if run.seconds is not None:
        parts.append(duration(run.seconds))
    return "  ".join(parts)


async def _delete(engine: Engine, chosen: argparse.Namespace) -> int:
    """Delete what can be deleted; 1 if some of it could not, 2 if nothing could."""
    runs = list({run.path: run for run in map(_named_itself, chosen.runs)}.values())
    if not chosen.yes:
        await _ask(engine, runs)
    failed = 0
    for run in runs:
        try:
            freed = await engine.delete(run)
        except UserError as error:
            complain(error)
            failed += 1
        else:
            if chosen.json:
                print_json({"run": str(run.path), "deleted": True, "bytes": freed})
            else:
                say(f"{run.name} deleted, {megabytes(freed)} freed")
    return 0 if not failed else 1 if failed < len(runs) else UserError.exit_code


def _named_itself(wanted: str) -> RunFolder:
    """Return the run of this name or folder; a data folder does not stand for its newest run here."""
    run = RunFolder.find(wanted)
    if wanted != run.name and os.path.abspath(expanded(wanted)) != str(run.path):  # noqa: PTH100
        raise UserError(
            f"“{safe_text(wanted)}” is no run but the data of {run.name}.",
            "To delete a run, give its own name.",
        )
    return run


async def _ask(engine: Engine, runs: list[RunFolder]) -> None:
    """Ask on the terminal whether to go on.

    Raises:
        UserError: the answer is not yes, or there is nobody to ask.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("Nothing was deleted: nobody can be asked.", "To do it unasked: --yes")
    for run in runs:
        print(f"  {safe_text(run.name)}", file=sys.stderr)
    size = megabytes(await engine.disk_bytes(runs))
    question = f"Delete {count(len(runs), 'run')}, {size}? Data and models stay. [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    # Not by readline, which would hold up Ctrl-C.
    answer = await anext(lines_from(sys.stdin.fileno()), "")
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError("Nothing was deleted.", "To delete, answer y.")
