"""How near the engine is to the bare step, and what a whole run, its start and its memory cost.

    python benchmarks/engine.py [--only ratio,pipeline,whole,start,many] [--rounds 5] [--faces DIR]
                                [--device cuda] [--peers PYTHON SCRIPTS]

Draws its data: 300 photographs of a megapixel, and faces of 48 × 48 (or takes the class folders DIR for
them). On a CPU every measurement is a process on one pinned core, and CPU time counts; what is compared
is interleaved, and a ratio is the median of the rounds. With `--device cuda` wall time counts, and the
headline run is 10,000 pictures × 100 epochs. `--peers` takes the Python of an environment that has
ultralytics and fastai, and the folder of scripts that train with them. Prints one table and a line of
JSON; exits 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from PIL import Image  # noqa: E402

from core.dataset.demo import CLASSES, draw_face  # noqa: E402

PHOTOS, FACES, MANY = 300, 1000, 200_000
HEADLINE = 10_000
PEERS = ("reference_loader", "ultralytics_cls", "fastai_learner+--full")
START_ROUNDS = 5
# Smaller pictures are trained in less work than torchvision's network takes (core/model/folded.py).
FOLDED_BELOW = 224


@dataclass(frozen=True)
class Row:
    """A figure beside its bound, which is the least or the most that it may be; None where there is none."""

    name: str
    figure: float
    bound: float | None = None
    least: bool = True
    rounds: tuple[float, ...] = ()

    @property
    def kept(self) -> bool:
        if self.bound is None:
            return True
        return self.figure >= self.bound if self.least else self.figure <= self.bound

    def line(self) -> str:
        sign = "" if self.bound is None else f"{'≥' if self.least else '≤'} {self.bound:g}"
        spread = f"   {min(self.rounds):.3g} to {max(self.rounds):.3g}" if self.rounds else ""
        return f"{self.name:<58} {self.figure:>10.4g} {sign:>8} {'' if self.kept else 'MISSED'}{spread}"


class Bench:
    """What was asked for, and the data that it is measured on."""

    def __init__(self, chosen: argparse.Namespace, folder: Path) -> None:
        self.chosen = chosen
        self.on_gpu = chosen.device != "cpu"
        self._folder = folder
        self.environment = os.environ | {
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ALEXNET_TUI_RUNS": str(folder / "runs"),
            "OMP_NUM_THREADS": "1",
        }

    def photos(self) -> Path:
        """Return a folder of photographs: drawn faces with a camera's noise, a megapixel, JPEG at 90."""
        return self._drawn("photos", PHOTOS, _photo, ".jpg")

    def faces(self) -> Path:
        """Return a folder of small gray faces."""
        if self.chosen.faces is not None:
            return Path(self.chosen.faces).absolute()
        return self._drawn("faces", HEADLINE if self.on_gpu else FACES, _small, ".png")

    def many(self) -> Path:
        """Return a folder of so many pictures that only some of them are looked at."""
        return self._drawn("many", MANY, _blurred, ".png")

    def _drawn(
        self, name: str, count: int, draw: Callable[[Any, Random], Image.Image], suffix: str
    ) -> Path:
        folder = self._folder / name
        if not folder.exists():
            for mood in CLASSES:
                (folder / mood).mkdir(parents=True)
            with ProcessPoolExecutor() as pool:
                files = [
                    (draw, mood, number, folder / mood / f"{number:05}{suffix}")
                    for mood in CLASSES
                    for number in range(count // 2)
                ]
                list(pool.map(_draw, files, chunksize=50))
        return folder

    def step(self, what: str, data: Path, size: int, *words: str) -> dict[str, Any]:
        """Run one measurement in a process of its own; return what it printed."""
        line = [sys.executable, "-m", "benchmarks.engine_step", what, str(data)]
        batch = "256" if self.on_gpu else "64"
        line += ["--size", str(size), "--device", self.chosen.device, "--batch", batch, *words]
        return self._last_line(line)

    def rate(self, what: str, data: Path, size: int, *words: str) -> float:
        """Return images per second: of CPU time on a CPU, else of wall time."""
        found = self.step(what, data, size, *words)
        return float(found["images"] / found["wall" if self.on_gpu else "cpu"])

    def peer(self, spec: str, data: Path, size: int, *words: str) -> float:
        """Return the images per CPU second of another trainer."""
        python, scripts = self.chosen.peers
        name, *flags = spec.split("+")
        line = [python, str(Path(scripts, f"{name}.py")), str(data), "--size", str(size)]
        if not self.on_gpu:
            line = ["taskset", "-c", str(max(os.sched_getaffinity(0))), *line]
        return float(self._last_line([*line, *flags, *words])["img_per_cpu_s"])

    def _last_line(self, command: list[str]) -> dict[str, Any]:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        (line,) = [x for x in done.stdout.splitlines() if x.startswith(("{", "RESULT "))][-1:]
        return dict(json.loads(line.removeprefix("RESULT ")))


def _draw(one: tuple[Callable[[Any, Random], Image.Image], Any, int, Path]) -> None:
    draw, mood, number, path = one
    draw(mood, Random(f"{mood}/{number}")).save(path, quality=90)


def _small(mood: Any, rng: Random) -> Image.Image:
    return draw_face(mood, rng).resize((48, 48)).convert("L")


def _blurred(mood: Any, rng: Random) -> Image.Image:
    return Image.frombytes("L", (6, 6), rng.randbytes(36)).resize((48, 48))


def _photo(mood: Any, rng: Random) -> Image.Image:
    face = draw_face(mood, rng).resize((1024, 1024), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 3.5, (1024, 1024, 3))
    return Image.fromarray(np.clip(np.asarray(face) + noise, 0, 255).astype(np.uint8))


def ratios(bench: Bench) -> Iterator[Row]:
    """Training by the bare step, ours and the others', each between two bare steps; ours also step by step."""
    sets = [("photos → 224", bench.photos(), 224), ("faces → 96", bench.faces(), 96)]
    for name, data, size in sets:
        if bench.on_gpu:
            yield _ratio_on_gpu(bench, name, data, size)
            continue
        others: dict[str, list[float]] = {}
        bare = bench.rate("bare", data, size)
        for _ in range(bench.chosen.rounds):
            rates = {}
            for spec in ("ours", "seed", *(PEERS if bench.chosen.peers else ())):
                one = bench.peer if spec in PEERS else bench.rate
                rates[spec] = one(spec, data, size)
                after = bench.rate("bare", data, size)
                others.setdefault(spec, []).append(2 * rates[spec] / (bare + after))
                bare = after
            if size < FOLDED_BELOW:
                folded = rates["ours"] / bench.rate("bare-folded", data, size)
                others.setdefault("ours, by the folded step", []).append(folded)
        for spec, found in others.items():
            title = f"training ÷ bare step, {name}, {spec}"
            yield Row(title, statistics.median(found), rounds=tuple(found))
        turns = bench.step("beside", data, size)["ratios"]
        title = f"training ÷ bare step by turns, {name}"
        yield Row(title, statistics.median(turns), 0.95, rounds=tuple(turns))


def _ratio_on_gpu(bench: Bench, name: str, data: Path, size: int) -> Row:
    """Training by the bare step in bf16, all in one process: a GPU takes its time to be ready."""
    what = ",".join(["bare", *(["ours", "bare"] * bench.chosen.rounds)])
    rates = [one["images"] / one["wall"] for one in bench.step(what, data, size)["found"]]
    found = [
        2 * ours / (before + after)
        for before, ours, after in zip(rates[::2], rates[1::2], rates[2::2], strict=False)
    ]
    title = f"training ÷ bare step, {name} ({statistics.median(rates[1::2]):,.0f} images/s)"
    return Row(title, statistics.median(found), 0.90, rounds=tuple(found))


def pipelines(bench: Bench) -> Iterator[Row]:
    """Batches without a step, by those of a plain script and of fastai."""
    data, found, theirs = bench.photos(), [], []
    for _ in range(bench.chosen.rounds):
        pair = bench.rate("pipeline", data, 224), bench.rate("seed-pipeline", data, 224)
        found.append(pair)
        if bench.chosen.peers:
            theirs.append(pair[0] / bench.peer(PEERS[-1], data, 224, "--loader-only"))
    ours = statistics.median(a for a, _ in found)
    yield Row("pipeline, photos → 224, images per CPU second", ours)
    by_plain = tuple(a / b for a, b in found)
    yield Row("pipeline ÷ plain script's", statistics.median(by_plain), 20, rounds=by_plain)
    if theirs:
        yield Row("pipeline ÷ fastai's", statistics.median(theirs), 50, rounds=tuple(theirs))


def whole_run(bench: Bench) -> Iterator[Row]:
    """A run of ten epochs by ten bare epochs and the forward passes of its evaluations."""
    data, size = bench.faces(), 96
    found, peaks, costs = [], [], []
    for _ in range(1 if bench.on_gpu else min(bench.chosen.rounds, 3)):
        bare, forward = (bench.rate(what, data, size) for what in ("bare", "forward"))
        epochs = ("--epochs", "100") if bench.on_gpu else ()
        run = bench.step("whole", data, size, *epochs)
        count = 100 if bench.on_gpu else 10
        least = run["images"] / bare + (count * run["validation"] + run["test"]) / forward
        found.append(least / run["wall" if bench.on_gpu else "cpu"])
        peaks.append((run["peak_bytes"] - run["pixels"]) / 2**30)
        costs.append((run["saying"] + run["checkpoints"]) / run["wall"])
    title = f"whole run, {count} epochs at {size}, bare ÷ ours"
    # On a GPU the ten minutes of a CPU are a few seconds, and what comes before and after is most of it.
    yield Row(title, statistics.median(found), None if bench.on_gpu else 0.90, rounds=tuple(found))
    most = None if bench.on_gpu else 1.5
    yield Row("memory of the trainer at 96 without its pixels, GiB", max(peaks), most, least=False)
    yield Row("checkpoints and events, share of wall time", max(costs), 0.02, least=False)
    if bench.on_gpu:
        print(json.dumps({"first": run["first"], "last": run["last"]}))
        title = f"headline run: {HEADLINE:,} pictures × 100 epochs, s"
        yield Row(title, run["wall"], 60, least=False)


def starts(bench: Bench) -> Iterator[Row]:
    """From `train` to the first step, with pixels decoded before, by the import of torch and torchvision."""
    data, environment = bench.faces(), bench.environment | {"OMP_NUM_THREADS": ""}
    environment.pop("OMP_NUM_THREADS")
    _until_first_step(data, bench.chosen.device, environment)
    found = []
    for _ in range(START_ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch, torchvision"], check=True)
        imported = time.perf_counter() - began
        found.append(_until_first_step(data, bench.chosen.device, environment) / imported)
    title = "train to first step, warm ÷ import of torch and torchvision"
    yield Row(title, statistics.median(found), 1.5, least=False, rounds=tuple(found))


def _until_first_step(data: Path, device: str, environment: dict[str, str]) -> float:
    """Return how long it takes from the command to the loop."""
    began = time.perf_counter()
    with _training(data, device, environment) as (_, events):
        for event in events:
            if event["event"] == "training-started":
                return time.perf_counter() - began
    raise SystemExit("the training did not come to its first step")


@contextmanager
def _training(
    data: Path, device: str, environment: dict[str, str]
) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    """Give the id of a training's trainer, and what it tells of itself; in the end it is stopped."""
    line = [sys.executable, "run_tui.py", "train", str(data), "--image-size", "96", "--json"]
    process = subprocess.Popen(
        [*line, "--device", device], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    events = map(json.loads, process.stdout)
    pid = next(events)["pid"]
    try:
        yield pid, events
    finally:
        os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def many_pictures(bench: Bench) -> Iterator[Row]:
    """Memory of a training on more pictures than it would hold, beside those it has just looked at."""
    environment = bench.environment | {"ALEXNET_TUI_CHECKPOINT_SECONDS": "10"}
    with _training(bench.many(), bench.chosen.device, environment) as (pid, events):
        saved = 0
        for event in events:
            saved += event["event"] == "checkpointed"
            if saved == 2:
                break
        maps = psutil.Process(pid).memory_maps()
        pixels = sum(one.rss for one in maps if one.path.endswith(".pixels"))
        status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    title = f"memory at 96 with {MANY:,} pictures, without its pixels, GiB"
    yield Row(title, peak / 2**20 - pixels / 2**30, 1.5, least=False)


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "ratio": ratios,
    "pipeline": pipelines,
    "whole": whole_run,
    "start": starts,
    "many": many_pictures,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faces", help="class folders to take instead of drawn faces")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peers", nargs=2, metavar=("PYTHON", "SCRIPTS"))
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen, Path(folder))
        for name in chosen.only.split(","):
            for row in PARTS[name](bench):
                rows.append(row)
                print(row.line(), flush=True)
    figures = {row.name: row.figure for row in rows}
    print(json.dumps({"benchmark": "engine", "device": chosen.device} | figures))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
