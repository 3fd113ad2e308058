"""How good a model becomes on real faces, and after how much work, beside what the plain script does.

    python -m benchmarks.accuracy DATA [--seeds 0,1,2] [--plain FACTOR] [-- OPTIONS OF train]

Trains on the class folders DATA once per seed by the `train` verb, the test part read once each, and
prints a row for each and the mean. With `--plain` it then trains the plain script's recipe (torchvision's
start, Pillow in the training process, 224 pixels, flips, SGD at 1e-3) on the same deal until its
validation accuracy reaches 85 % or it has taken FACTOR times the CPU seconds of the quickest of ours.
Ends with a line of JSON. Exits 1 if the mean is below 90 %; with `--plain`, for which a short schedule is
the one to choose, only if the plain recipe is less than 5 times slower.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import torch
import torch.nn.functional as F
from torchvision.models import alexnet

from benchmarks.engine_step import Clock, plain_batches
from core.dataset.split import Manifest, Member
from core.runs.folder import RunFolder
from core.text import native

ROOT = Path(__file__).resolve().parent.parent
PROMISED, REACHED, TIMES = 0.90, 0.85, 5.0
PLAIN_SIZE, PLAIN_BATCH = 224, 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--plain", type=float, default=0.0, metavar="FACTOR")
    # argparse would take what stands behind -- for the data folder.
    words = sys.argv[1:]
    border = words.index("--") if "--" in words else len(words)
    chosen, options = parser.parse_args(words[:border]), words[border + 1 :]
    print(f"{'seed':>4} {'test':>7} {'95 % interval':>15} {'validation':>10} {'epoch':>6}", end=" ")
    print(f"{'minutes':>8} {'CPU s':>8} {'CPU s to 85 %':>14}")
    found = []
    for seed in chosen.seeds.split(","):
        found.append(trained(chosen.data, ["--seed", seed, *options]))
        print(row(seed, found[-1]), flush=True)
    mean = statistics.fmean(one["test"] for one in found)
    print(f"mean {mean:>6.2%}")
    figures: dict[str, Any] = {"mean_test": mean, "seeds": found}
    kept = mean >= PROMISED
    reached = [one["cpu_to_85"] for one in found if one["cpu_to_85"]]
    if chosen.plain:
        if not reached:
            print(json.dumps({"benchmark": "accuracy"} | figures))
            sys.exit(f"none of ours has reached {REACHED:.0%}")
        run = RunFolder(Path(found[0]["run"]))
        limit = chosen.plain * min(reached)
        accuracy, spent = plain(chosen.data, run, limit)
        ratio = spent / min(reached)
        print(
            f"plain recipe: {accuracy:.1%} validation after {spent:.0f} CPU s, {ratio:.1f} × ours"
        )
        figures |= {"plain_accuracy": accuracy, "plain_cpu": spent, "plain_ratio": ratio}
        kept = ratio >= TIMES
    print(json.dumps({"benchmark": "accuracy"} | figures))
    return 0 if kept else 1


def row(seed: str, one: dict[str, Any]) -> str:
    """Return a seed's row of the table."""
    to_85 = f"{one['cpu_to_85']:.0f}" if one["cpu_to_85"] else "never"
    interval = f"{one['low']:.1%} to {one['high']:.1%}"
    return (
        f"{seed:>4} {one['test']:>7.2%} {interval:>15} {one['validation']:>10.2%}"
        f" {one['best_epoch']:>6} {one['seconds'] / 60:>8.1f} {one['cpu']:>8.0f} {to_85:>14}"
    )


def trained(data: Path, options: list[str]) -> dict[str, Any]:
    """Train as a person would; return what came of it and what it took."""
    line = [sys.executable, str(ROOT / "run_tui.py"), "train", str(data), "--json", *options]
    found: dict[str, Any] = {"cpu": 0.0, "cpu_to_85": None}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            event = json.loads(text)
            match event["event"]:
                case "run-started":
                    trainer = psutil.Process(event["pid"])
                case "epoch-ended":
                    # As long as the trainer lives: a figure of its end would come too late.
                    times = trainer.cpu_times()
                    found["cpu"] = sum(times[:4])
                    if event["validation_accuracy"] >= REACHED and found["cpu_to_85"] is None:
                        found["cpu_to_85"] = found["cpu"]
                case "run-ended":
                    found |= event["test"] | {
                        "test": event["test"]["accuracy"],
                        "validation": event["validation"]["accuracy"],
                        "run": event["run"],
                        "seconds": event["seconds"],
                        "best_epoch": event["best_epoch"],
                    }
    if process.returncode:
        sys.exit(f"the training ended with {process.returncode}")
    return found


def plain(data: Path, run: RunFolder, limit: float) -> tuple[float, float]:
    """Train the plain recipe for at most `limit` CPU seconds; return its validation accuracy and what it took."""
    manifest = msgspec.json.decode(run.split.read_bytes(), type=Manifest)

    def files(members: list[Member]) -> list[tuple[Path, int]]:
        return [(data / native(member.path), member.label) for member in members]

    cpu = torch.device("cpu")
    training, validation = files(manifest.train), files(manifest.validation)
    torch.manual_seed(0)
    model = alexnet(weights=None, num_classes=len(manifest.classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    clock, best, epoch, looking = Clock(cpu), 0.0, 0, 0.0

    def spent() -> float:
        # Looking costs it nothing: ours is charged for its own.
        return clock.images(0)["cpu"] - looking

    while True:
        epoch += 1
        model.train()
        for images, labels in plain_batches(training, PLAIN_SIZE, PLAIN_BATCH, cpu):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()
            if spent() > limit:
                return best, spent()
        trained_for = spent()
        model.eval()
        with torch.inference_mode():
            right = sum(
                int((model(images).argmax(1) == labels).sum())
                for images, labels in plain_batches(validation, PLAIN_SIZE, 256, cpu, flip=False)
            )
        looking += spent() - trained_for
        best = max(best, right / len(validation))
        print(
            f"  plain recipe, epoch {epoch}: {right / len(validation):.1%}, {trained_for:.0f} CPU s",
            flush=True,
        )
        if best >= REACHED:
            return best, trained_for


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{(time.monotonic() - began) / 60:.0f} minutes in all", file=sys.stderr)
    sys.exit(code)
