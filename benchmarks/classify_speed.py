"""Speed beside a plain script: a warm answer, a folder, the first answer after opening the screen."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from PIL import Image

from benchmarks.classify_row import Case, Row, resident
from core.engine import Engine, Source
from core.model.place import model_path
from core.prediction.classifier import Answer, Classifier
from core.prediction.sources import Refusal
from tui.app import AlexNetApp
from tui.messages import OpenClassify

MIB = 2**20
WARM_ANSWERS = 150

# What a plain script does: one process, one picture after the other, nothing confined.
_PLAIN = """
import sys, time
began = time.perf_counter()
import torch, torchvision
import safetensors.torch
from PIL import Image
import numpy as np
size, classes = int(sys.argv[2]), int(sys.argv[3])
model = torchvision.models.alexnet(num_classes=classes)
model.load_state_dict(safetensors.torch.load_file(sys.argv[1]))
model.eval()
mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

def answer(path):
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    image = image.resize((size, size), Image.BILINEAR, box=(left, top, left + side, top + side))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        return torch.softmax(model((pixels - mean) / std), 1).max(1)

answer(sys.argv[4])
print("ready", flush=True)
for line in sys.stdin:
    paths = line.rstrip("\\n").split("\\t")
    began = time.perf_counter()
    for path in paths:
        answer(path)
    print(time.perf_counter() - began, flush=True)
"""


class Plain:
    """The plain script in a process of its own."""

    def __init__(self, case: Case, classes: int, size: int) -> None:
        began = time.perf_counter()
        model, picture = str(model_path(case.model)), str(case.some(1)[0])
        command = [sys.executable, "-c", _PLAIN, model, str(size), str(classes), picture]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self.first_seconds = time.perf_counter() - began

    def seconds(self, paths: list[Path]) -> float:
        """Return how long it takes for `paths`, one by one, by its own clock."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, paths)) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


async def warm(case: Case) -> list[Row]:
    """Time single answers of a warm model, in turns with the plain script."""
    small = case.some(1)[0]
    large = case.folder / "large.jpg"
    with Image.open(small) as image:
        image.convert("RGB").resize((640, 480), Image.Resampling.BICUBIC).save(large, quality=90)
    rows = []
    async with Classifier(case.model) as classifier:
        plain = Plain(case, len(classifier.info.classes), classifier.info.image_size)
        for name, path in (("small picture", small), ("JPEG of 640×480", large)):
            ours, theirs = [], []
            for turn in range(WARM_ANSWERS + 10):
                their = plain.seconds([path])
                our = await _answered(classifier, path)
                if turn >= 10:
                    ours.append(our)
                    theirs.append(their)
            median = statistics.median(ours)
            ratio = median / statistics.median(theirs)
            # In a row: threads of the plain script that still spin after its turn are not our spread.
            row = [await _answered(classifier, path) for _ in range(WARM_ANSWERS)]
            spread = statistics.quantiles(row, n=20)[-1] / statistics.median(row)
            plain_ms = 1000 * statistics.median(theirs)
            figure = f"{1000 * median:.1f} ms against {plain_ms:.1f} ms: {ratio:.2f}"
            rows += [
                Row(f"warm answer, {name}", figure, "≤ 1.15 × plain", ratio <= 1.15),
                Row("  p95 ÷ median", f"{spread:.2f}", "≤ 1.5", spread <= 1.5),
            ]
        plain.close()
    return rows


async def _answered(classifier: Classifier, path: Path) -> float:
    """Return how many seconds one answer takes."""
    began = time.perf_counter()
    await classifier.classify(Source(str(path)))
    return time.perf_counter() - began


async def folder(case: Case) -> list[Row]:
    """Time a folder of pictures, in turns with the plain script, and watch the memory."""
    paths = case.some(case.number)
    ours, theirs, growth = [], [], []
    async with Classifier(case.model) as classifier:
        plain = Plain(case, len(classifier.info.classes), classifier.info.image_size)
        await classifier.classify(Source(str(paths[0])))
        for _ in range(max(case.rounds // 2, 1)):
            theirs.append(plain.seconds(paths))
            began, memory, done = time.perf_counter(), [], 0
            async for outcome in classifier.classify_all(_each(paths)):
                assert isinstance(outcome, Answer), outcome
                done += 1
                if done % 50 == 0:
                    memory.append(_memory(classifier))
            ours.append(time.perf_counter() - began)
            quarter = len(memory) // 4
            growth.append(max(memory[quarter:]) - max(memory[:quarter]))
        plain.close()
    ratio = statistics.median(theirs) / statistics.median(ours)
    rate = len(paths) / statistics.median(ours)
    figure = f"{rate:,.0f} pictures/s, {ratio:.2f} × the plain loop"
    grown = max(growth) / MIB
    return [
        Row(f"folder of {len(paths):,}", figure, "≥ 1.5 ×", ratio >= 1.5),
        Row(
            "  growth of memory after its first quarter",
            f"{grown:.1f} MiB",
            "≤ 16 MiB",
            grown <= 16,
        ),
    ]


async def _each(paths: list[Path]) -> AsyncIterator[Source]:
    for path in paths:
        yield Source(str(path))


def _memory(classifier: Classifier) -> int:
    """Return the memory of all processes that take part, this one among them."""
    pids = [os.getpid(), *classifier.readers.pids]
    if classifier.predictions.pid is not None:
        pids.append(classifier.predictions.pid)
    return sum(map(resident, pids))


async def first(case: Case) -> list[Row]:
    """Time the first answer after opening the screen, in turns with a plain script from its start."""
    from core.engine import ModelInfo

    info: ModelInfo = await Engine().model_info(case.model)
    path = case.some(1)[0]
    ours, theirs = [], []
    for turn in range(case.rounds + 1):
        plain = Plain(case, len(info.classes), info.image_size)
        plain.close()
        our = await _opened_and_answered(case.model, path)
        # The first turn fills the page cache.
        if turn:
            ours.append(our)
            theirs.append(plain.first_seconds)
    ratio = statistics.median(ours) / statistics.median(theirs)
    figure = (
        f"{statistics.median(ours):.2f} s against {statistics.median(theirs):.2f} s: {ratio:.2f}"
    )
    return [Row("first answer after opening the screen", figure, "≤ 1.2 × plain", ratio <= 1.2)]


async def _opened_and_answered(model: Path, picture: Path) -> float:
    app = AlexNetApp(Engine())
    async with app.run_test(size=(80, 24)) as pilot:
        began = time.perf_counter()
        app.post_message(OpenClassify(model))
        while getattr(app.screen, "SECTION", "") != "classify":
            await pilot.pause(0.005)
        screen = app.screen
        screen._ask(str(picture))  # type: ignore[attr-defined]
        while not screen.answers:  # type: ignore[attr-defined]
            await pilot.pause(0.01)
        seconds = time.perf_counter() - began
        assert not isinstance(screen.answers[0], Refusal)  # type: ignore[attr-defined]
    return seconds
