"""Does the pulse tell a learning rate that is far too high at once, and is it quiet where all is well?

    python -m benchmarks.pulse DATA [--seeds 5] [--epochs 6] [--factor 30] [--image-size 64] [--keep DIR]

Trains on DATA (a few hundred pictures will do) with each seed: with the recipe's learning rate for all
epochs, and with that times the factor until the pulse speaks or the first epoch ends. Prints a line per
run and a line of JSON; exits 1 if a rate too high was not told in time, or if a warning was given where
all was well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from core.config import TrainConfig
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.training.run import Commands, execute


class Enough(Exception):
    """Ends a training at the event that was waited for."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--factor", type=float, default=30)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--keep", type=Path, help="write the events of each run into this folder")
    chosen = parser.parse_args()
    told = alarms = 0
    print(f"{'rate':>8} {'seed':>5} {'validation':>11}   what the pulse said, and at which step")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALEXNET_TUI_RUNS"] = folder
        for seed in range(chosen.seeds):
            healthy = trained(chosen, seed, "auto", last=(ev.Evaluated,))
            alarms += any(pulse.level == "warning" for pulse, _ in pulses(healthy))
            show(1, seed, healthy, chosen.keep)
            rate = next(e.learning_rate for e in healthy if isinstance(e, ev.TrainingStarted))
            high = trained(chosen, seed, rate * chosen.factor, last=(ev.Pulse, ev.EpochEnded))
            told += any(pulse.kind == "diverged" for pulse, _ in pulses(high))
            show(chosen.factor, seed, high, chosen.keep)
    figures = {"seeds": chosen.seeds, "told_in_first_epoch": told, "false_alarms": alarms}
    print(json.dumps({"benchmark": "pulse"} | figures))
    return 0 if told == chosen.seeds and not alarms else 1


def trained(
    chosen: argparse.Namespace, seed: int, rate: float | str, last: tuple[type[ev.Event], ...]
) -> list[ev.Event]:
    """Train in this process until the first event of a kind in `last`; return all events up to it."""
    config = TrainConfig(
        data=str(chosen.data.absolute()),
        epochs=chosen.epochs,
        image_size=chosen.image_size,
        seed=seed,
        learning_rate=rate,  # type: ignore[arg-type]
    )
    events: list[ev.Event] = []

    def say(event: ev.Event) -> None:
        events.append(event)
        if isinstance(event, last):
            raise Enough

    try:
        run = RunFolder.create(config)
        execute(run, config, run.checkpoints(), None, say, Commands(run.orders()))
    except Enough:
        return events
    raise AssertionError("a run ended before it was judged")


def pulses(events: list[ev.Event]) -> list[tuple[ev.Pulse, int]]:
    """Return what the pulse said, each with the step at which it did."""
    said, step = [], 0
    for event in events:
        if isinstance(event, ev.Step):
            step = event.step
        elif isinstance(event, ev.Pulse):
            said.append((event, step))
    return said


def show(factor: float, seed: int, events: list[ev.Event], folder: Path | None) -> None:
    """Print the line of one run, and keep its events in `folder` as a run's log has them."""
    epochs = [event for event in events if isinstance(event, ev.EpochEnded)]
    said = ", ".join(f"{pulse.kind} ({step})" for pulse, step in pulses(events))
    accuracy = f"{epochs[-1].validation_accuracy:.1%}" if epochs else "none yet"
    print(f"{f'× {factor:g}':>8} {seed:>5} {accuracy:>11}   {said or 'nothing'}", flush=True)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        lines = b"".join(ev.encode(event) + b"\n" for event in events)
        (folder / f"{factor:g}-{seed}.jsonl").write_bytes(lines)


if __name__ == "__main__":
    sys.exit(main())
