"""The verb `evaluate`: how well a saved model does on a folder of class folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from core.engine import Engine, Evaluation
from core.evaluation.calibration import Bin
from core.evaluation.mistakes import confused
from core.evaluation.result import Part
from core.live import result_of
from core.printing import tell
from core.text import count, safe_text

# Up to so many classes the whole matrix is printed; beyond, the pairs that are confused most.
MATRIX_CLASSES = 10
PAIRS = 10
NAME, CELL = 20, 9


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` takes."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")
    parser.add_argument("dir", metavar="DIR", help="the folder that holds one folder per class")
    parser.add_argument(
        "--part",
        choices=get_args(Part),
        default="test",
        help="which pictures of DIR, dealt as for the model's training (default: test)",
    )


async def evaluate(engine: Engine, chosen: argparse.Namespace) -> int:
    """Print what the model makes of the pictures; 1 if some of them could not be judged."""
    told = engine.evaluate(Path(chosen.model), Path(chosen.dir), chosen.part)
    found: Evaluation = await result_of(told, "evaluation", "pictures")
    tell(found, chosen.json, lines)
    return 0 if found.whole else 1


def lines(found: Evaluation) -> list[str]:
    """Return an evaluation for people; `--json` has all of it."""
    kind = "" if found.part == "all" else f"{found.part} "
    pictures = count(found.n, f"{kind}picture")
    most = safe_text(found.baseline_class, 40)
    return [
        f"accuracy    {found.accuracy:.1%} of {pictures}"
        f" (95 % interval {found.low:.1%} to {found.high:.1%})",
        f"baseline    {found.baseline:.1%} by always answering “{most}”",
        f"confidence  {found.mean_confidence:.1%} on average, calibration error {found.calibration.error:.1%}",
        f"loss        {found.loss:.4f} nats",
        "",
        *(_bin(one) for one in found.calibration.bins),
        "",
        *_matrix(found),
        "",
        *_classes(found),
        *_mistakes(found),
        "",
        *found.notes,
    ]


def _bin(one: Bin) -> str:
    """Return what answers of about the same confidence are worth."""
    return f"  {one.low:.0%} to {one.high:>4.0%} sure: {one.accuracy:>6.1%} right of {one.n:,}"


def _matrix(found: Evaluation) -> list[str]:
    """Return the confusion matrix, or of many classes the pairs that are confused most."""
    names = [safe_text(name) for name in found.classes]
    if len(names) <= MATRIX_CLASSES:
        head = f"  {'truth / answer':<{NAME}}" + "".join(
            f" {_cut(name, CELL - 1):>{CELL}}" for name in names
        )
        rows = zip(names, found.confusion, strict=True)
        return [head] + [
            f"  {_cut(name, NAME):<{NAME}}" + "".join(f" {n:>{CELL},}" for n in row)
            for name, row in rows
        ]
    pairs = confused(found.confusion, PAIRS)
    if not pairs:
        return ["no class was taken for another"]
    return ["most often confused:"] + [
        f"  {pair.pictures:>{CELL},} of {_cut(names[pair.truth], NAME)} ({pair.share:.1%})"
        f" taken for {_cut(names[pair.answer], NAME)}"
        for pair in pairs
    ]


def _classes(found: Evaluation) -> list[str]:
    head = f"  {'class':<{NAME}} {'pictures':>{CELL}} {'precision':>{CELL}} {'recall':>{CELL}} {'F1':>{CELL}}"
    rows = zip(found.classes, found.confusion, found.precision, found.recall, found.f1, strict=True)
    return [head] + [
        f"  {_cut(safe_text(name), NAME):<{NAME}} {sum(row):>{CELL},}"
        f" {p:>{CELL}.1%} {r:>{CELL}.1%} {f:>{CELL}.1%}"
        for name, row, p, r, f in rows
    ]


def _mistakes(found: Evaluation) -> list[str]:
    worst = found.mistakes[:PAIRS]
    head = ["", "the surest mistakes:"] if worst else []
    return head + [
        f"  {told.confidence:.1%} {_cut(safe_text(told.label), NAME)}: {told.path}"
        for told in worst
    ]


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
