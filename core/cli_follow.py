"""Following a training that this command has started, or has started again: the verb `resume`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from core.engine import Engine, Update
from core.printing import RunPrinter, print_json, say
from core.runs.folder import RunFolder

INTERRUPTED = 130


def add_prepare(parser: argparse.ArgumentParser) -> None:
    """Add the option of those whose run another launcher is to start."""
    words = "start nothing, print the run folder: torchrun starts it (docs/clusters.md)"
    parser.add_argument("--prepare", action="store_true", help=words)


def tell_prepared(run: RunFolder, chosen: argparse.Namespace) -> int:
    """Print the folder of a run that was made ready, alone, so that a script can take it."""
    if chosen.json:
        print_json({"run": str(run.path), "name": run.name})
    else:
        say(str(run.path))
    return 0


async def resume(engine: Engine, chosen: argparse.Namespace) -> int:
    """Go on with a run; what it said before is known, and not printed again."""
    run = RunFolder.find(chosen.run)
    if chosen.prepare:
        await engine.prepare_again(run)
        return tell_prepared(run, chosen)
    past = await asyncio.to_thread(run.count_events)
    await engine.resume(run)
    return await follow_new(engine, run, chosen, past)


async def follow_new(
    engine: Engine, run: RunFolder, chosen: argparse.Namespace, past: int = 0
) -> int:
    """Print what a run says that was just started, after its first `past` events; or return at once."""
    if chosen.detach:
        if chosen.json:
            print_json({"run": str(run.path), "name": run.name})
        else:
            say(f"training as {run.name}; watch it: run_tui.py watch {run.name}")
        return 0
    printer = RunPrinter(run, chosen.json, past)
    try:
        return await follow(engine.follow(run), printer)
    except asyncio.CancelledError:
        # The first Ctrl-C ends the training with its best model saved, the second leaves at once.
        current = asyncio.current_task()
        assert current is not None
        current.uncancel()
        if run.alive():
            run.order("stop-now")
        print(
            "stopping; the best model is being saved (Ctrl-C again: leave at once)", file=sys.stderr
        )
        await follow(engine.follow(run, skip=printer.events), printer)
        return INTERRUPTED


async def follow(updates: AsyncIterator[Update], printer: RunPrinter) -> int:
    """Print a run's events to its end, return the exit code."""
    try:
        async for update in updates:
            for event in update.events:
                printer.show(event)
            printer.note_silence(update.silent)
    finally:
        printer.clear()
    return printer.finish()
