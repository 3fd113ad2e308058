"""The whole road on real faces: how good after how long, and does the saved file answer the same.

    python -m benchmarks.real_faces DATA [--epochs 8] [--image-size 96] [--run RUN]

Trains on DATA as a person would (or takes the finished run RUN), then classifies 200 test pictures by
the `classify` verb and compares every answer with the worker's own evaluation of the same files; and says
how far confidence and accuracy are apart on the test part, as it is and as it would be uncalibrated.
Prints one table and a line of JSON; exits 1 where a promise of the README does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.evaluation.calibration import Reliability
from core.model.card import model_info
from core.runs.folder import RunFolder
from core.text import native

ROOT = Path(__file__).resolve().parent.parent
PICTURES = 200
PROMISED_ACCURACY = 0.80
PROMISED_DIFFERENCE = 1e-5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--image-size", default="96")
    parser.add_argument("--run", help="a finished run to look at instead of training anew")
    chosen = parser.parse_args()
    began = time.monotonic()
    if chosen.run is None:
        size = ["--image-size", chosen.image_size]
        verb("train", str(chosen.data), "--split", "80", "--epochs", chosen.epochs, *size)
    events = verb("watch", chosen.run or str(chosen.data), "--json")
    ended, certified = events[-1], next(e for e in events if e["event"] == "certified")
    same, difference = compare(RunFolder(Path(ended["run"])), chosen.data, ended["model"])
    figures = {
        "test_accuracy": ended["test"]["accuracy"],
        "low": ended["test"]["low"],
        "high": ended["test"]["high"],
        "validation_accuracy": ended["validation"]["accuracy"],
        "best_epoch": ended["best_epoch"],
        "images_per_second": ended["images_per_second"],
        "run_seconds": ended["seconds"],
        "wall_seconds": time.monotonic() - began,
        "certificate_difference": certified["largest_difference"],
        "classify_same_label": same,
        "classify_difference": difference,
    }
    temperature = model_info(Path(ended["model"])).card.preprocessing.temperature
    figures |= {
        "temperature": temperature,
        "calibration_error": calibration_error(RunFolder(Path(ended["run"]))),
        "uncalibrated_error": calibration_error(RunFolder(Path(ended["run"])), temperature),
    }
    for name, value in figures.items():
        print(f"{name:<24} {value:.6g}")
    print(json.dumps({"benchmark": "real_faces"} | figures))
    kept = figures["test_accuracy"] >= PROMISED_ACCURACY and same == PICTURES
    return 0 if kept and difference <= PROMISED_DIFFERENCE else 1


def compare(run: RunFolder, data: Path, model: str) -> tuple[int, float]:
    """Return on how many of 200 test pictures the label is the same, and the largest difference."""
    lines = [json.loads(line) for line in run.predictions.read_bytes().splitlines()]
    count = min(len(lines), PICTURES)
    chosen = [lines[i * len(lines) // count] for i in range(count)]
    classes = json.loads(run.split.read_bytes())["classes"]
    sources = [str(data / native(line["path"])) for line in chosen]
    answers = verb("classify", model, *sources, "--json")
    same = sum(
        answer["label"] == line["label"] for answer, line in zip(answers, chosen, strict=True)
    )
    differences = [
        abs(answer["probabilities"][name] - probability)
        for answer, line in zip(answers, chosen, strict=True)
        for name, probability in zip(classes, line["probabilities"], strict=True)
    ]
    return same, max(differences)


def calibration_error(run: RunFolder, warmer: float = 1.0) -> float:
    """Return the calibration error on the test part, or with the temperature `warmer` taken back."""
    found = Reliability()
    for line in run.predictions.read_bytes().splitlines():
        told = json.loads(line)
        shares = [probability**warmer for probability in told["probabilities"]]
        found.add(max(shares) / sum(shares), told["label"] == told["truth"])
    return found.calibration.error


def verb(*words: str) -> list[Any]:
    """Run a verb of the program as a person would; return the objects that it printed, if any."""
    as_json = "--json" in words
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_tui.py"), *words],
        stdout=subprocess.PIPE if as_json else None,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()] if as_json else []


if __name__ == "__main__":
    sys.exit(main())
