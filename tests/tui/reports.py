"""Run folders with a test behind them, as a finished training leaves them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.config import TrainConfig
from core.evaluation.metrics import evaluated, interval
from core.runs import events as ev
from core.runs.answers import KeptAnswer
from core.runs.folder import RunFolder
from tests.tui.conftest import START, beginning, epoch_events


def finished_run(
    data: Path, classes: Sequence[str], per_class: int = 50, right: float = 0.9, **settings: object
) -> RunFolder:
    """Write a run that has tested `per_class` pictures of each class, of which `right` are right."""
    config = TrainConfig(**{"data": str(data), "epochs": 12, **settings})  # type: ignore[arg-type]
    run = RunFolder.create(config)
    truths, answers, lines = answers_on(classes, per_class, right)
    score = msgspec.structs.replace(evaluated(truths, answers, classes, loss=0.21), time=START + 80)
    run.write_predictions(b"".join(lines))
    model = data / "alexnet.safetensors"
    ended = ev.RunEnded(
        time=START + 86,
        run=str(run.path),
        model=str(model),
        seconds=86,
        images_per_second=11_820,
        epochs=12,
        best_epoch=12,
        validation=ev.Accuracy(accuracy=0.9),
        test=interval(sum(a == t for a, t in zip(answers, truths, strict=True)), len(truths)),
    )
    certified = ev.Certified(
        time=START + 85, n=64, same_label=64, largest_difference=3e-7, passed=True
    )
    write(run, *beginning(str(data)), *epoch_events(12), score, certified, ended)
    run.model.write_bytes(b"weights")
    return run


def answers_on(
    classes: Sequence[str], per_class: int, right: float
) -> tuple[list[int], list[int], list[bytes]]:
    """Return truths, answers and the lines that a run keeps of them, always the same ones."""
    draw = random.Random(1)
    truths, answers, lines = [], [], []
    for truth, name in enumerate(classes):
        for number in range(per_class):
            wrong = draw.random() > right
            answer = (truth + draw.choice((1, 1, 1, 2))) % len(classes) if wrong else truth
            answer = answer if len(classes) > 2 or not wrong else 1 - truth
            confidence = round(draw.uniform(0.5, 1.0), 4)
            chances = [(1 - confidence) / (len(classes) - 1)] * len(classes)
            chances[answer] = confidence
            line = KeptAnswer(
                path=f"{name}/{number:04}.png".replace("\n", " "),
                truth=name,
                label=classes[answer],
                confidence=confidence,
                probabilities=chances,
            )
            truths.append(truth)
            answers.append(answer)
            lines.append(msgspec.json.encode(line) + b"\n")
    return truths, answers, lines


def write(run: RunFolder, *events: ev.Event) -> None:
    """Append `events` to the log of `run`."""
    with run.writer() as log:
        for event in events:
            log.write(event)
