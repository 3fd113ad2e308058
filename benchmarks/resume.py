"""Kill a training at random steps, resume it, and compare what it learned with an unbroken run, bit by bit.

`python -m benchmarks.resume` draws a small example, trains on it once without a break, then `--runs` times
with `--kills` kill -9 each, and prints a table and a line of JSON: sha256 of the weights and of all
validation results, the work lost, what checkpoints cost. It fails where one differs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from core.config import TrainConfig
from core.engine import Engine
from core.model import bundle
from core.runs import events as ev
from core.runs.folder import RunFolder

POLL_SECONDS = 0.02


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one run; `lost` are the steps that each kill cost."""

    weights: str = ""
    metrics: str = ""
    killed_at: list[int] = []
    lost: list[int] = []
    checkpoints: int = 0
    seconds_per_checkpoint: float = 0.0
    cost_per_checkpoint: float = 0.0


async def main(chosen: argparse.Namespace) -> int:
    """Run the benchmark, return the exit code."""
    os.environ["ALEXNET_TUI_CHECKPOINT_SECONDS"] = str(chosen.seconds)
    draw = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as place:
        os.environ["ALEXNET_TUI_RUNS"] = str(Path(place) / "runs")
        engine, data = Engine(), Path(place) / "faces"
        async for _ in engine.demo(data, chosen.images):
            pass
        config = TrainConfig(
            data=str(data), image_size=64, epochs=chosen.epochs, batch_size=chosen.batch
        )
        unbroken = await outcome(engine, config, 0, draw)
        print(f"{'run':<10} {'killed at step':<28} {'steps lost':<16} weights sha256     same")
        print(f"{'unbroken':<10} {'':<28} {'':<16} {unbroken.weights[:16]}")
        broken = []
        for number in range(1, chosen.runs + 1):
            one = await outcome(engine, config, chosen.kills, draw)
            broken.append(one)
            row = (", ".join(map(str, one.killed_at)), ", ".join(map(str, one.lost)))
            end = f"{one.weights[:16]}   {'yes' if same_as(unbroken, one) else 'NO'}"
            print(f"{number:<10} {row[0]:<28} {row[1]:<16} {end}", flush=True)
    same = sum(same_as(unbroken, one) for one in broken)
    print(f"{same} of {len(broken)} ended with the same weights and validation results")
    print(
        json.dumps(
            {
                "benchmark": "resume",
                "same": same,
                "runs": len(broken),
                "kills": sum(len(one.killed_at) for one in broken),
                "unbroken": msgspec.to_builtins(unbroken),
                "broken": msgspec.to_builtins(broken),
            }
        )
    )
    return 0 if same == len(broken) else 1


def same_as(a: Outcome, b: Outcome) -> bool:
    return (a.weights, a.metrics) == (b.weights, b.metrics)


async def outcome(engine: Engine, config: TrainConfig, kills: int, draw: random.Random) -> Outcome:
    """Train with `config`, killing the trainer `kills` times at random steps after its first checkpoint."""
    found = Outcome()
    run = await engine.train(config)
    for _ in range(kills):
        if not await kill(run, draw, found):
            break
        await engine.resume(run)
    epochs: dict[int, tuple[float, ...]] = {}
    written: list[ev.Checkpointed] = []
    model = ""
    async for update in engine.follow(run):
        for event in update.events:
            match event:
                case ev.EpochEnded():
                    epochs[event.epoch] = (
                        *(event.loss, event.accuracy),
                        *(event.validation_loss, event.validation_accuracy),
                    )
                case ev.Checkpointed():
                    written.append(event)
                case ev.RunEnded():
                    model = event.model
    if not model:
        sys.exit(f"the run {run.path} did not end well")
    tensors = bundle.load(Path(model)).tensors
    weights = b"".join(tensors[name].tobytes() for name in sorted(tensors))
    found.weights = hashlib.sha256(weights).hexdigest()
    found.metrics = hashlib.sha256(json.dumps(sorted(epochs.items())).encode()).hexdigest()
    found.checkpoints = len(written)
    if written:
        found.seconds_per_checkpoint = sum(one.seconds for one in written) / len(written)
        found.cost_per_checkpoint = sum(one.cost for one in written) / len(written)
    return found


async def kill(run: RunFolder, draw: random.Random, found: Outcome) -> bool:
    """Kill the trainer some steps after its next checkpoint; tell whether it was still training."""
    reader = run.reader()
    pid = saved = step = 0
    resumed_at, after = 0, draw.randint(1, 12)
    begun = len(found.killed_at)
    while True:
        for event in reader.read():
            match event:
                case ev.RunStarted():
                    pid = event.pid
                case ev.Resumed():
                    begun, resumed_at = begun - 1, event.step
                    step = saved = event.step
                case ev.Checkpointed():
                    saved = event.step
                case ev.Step():
                    step = event.step
                case ev.RunEnded() | ev.RunFailed():
                    return False
        if not begun and saved > resumed_at and step >= saved + after:
            break
        await asyncio.sleep(POLL_SECONDS)
    trainer = psutil.Process(pid)
    # Not at a moment that the log chooses.
    await asyncio.sleep(draw.random())
    os.kill(pid, signal.SIGKILL)
    while run.alive() or (trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE):
        await asyncio.sleep(POLL_SECONDS)
    for event in reader.read():
        if isinstance(event, ev.Step):
            step = event.step
        elif isinstance(event, ev.Checkpointed):
            saved = event.step
    found.killed_at.append(step)
    found.lost.append(step - saved)
    return True


def options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0.5, help="between checkpoints")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(options())))
