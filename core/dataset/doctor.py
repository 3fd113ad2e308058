"""What is wrong with a data folder, told before any time is spent on training. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.dataset.folder import LEAST_PER_CLASS, Inspection, inspect, scan, too_few
from core.dataset.pixels import Progress, prepare
from core.dataset.report import Finding, Report
from core.dataset.split import count_copies, groups_by_class
from core.errors import UserError
from core.text import readable


def examine(data: Path, image_size: int, on_progress: Progress) -> Report:
    """Read every picture of `data` once, as training at `image_size` would, and report.

    Raises:
        UserError: `data` is no folder that can be read, or nothing in it is a picture.
    """
    inspection = inspect(data)
    if inspection.problem:
        if not inspection.classes:
            raise inspection.problem
        return _hopeless(inspection, inspection.problem)
    found = scan(data)
    store = prepare(found, image_size, on_progress)
    names = [readable(name) for name in found.classes]
    usable = Counter(member.label for member in store.members)
    duplicates, in_two_classes = count_copies(store.members)
    groups = groups_by_class(store.members, len(names))
    poor = [
        too_few(name, len(of_class)).title
        for name, of_class in zip(names, groups, strict=True)
        if len(of_class) < LEAST_PER_CLASS
    ]
    return Report(
        images=len(store.members),
        classes={name: usable[k] for k, name in enumerate(names)},
        left_out=[Finding(readable(f.path), f.reason) for f in [*found.left_out, *store.left_out]],
        duplicates=duplicates,
        in_two_classes=in_two_classes,
        channels=store.channels,
        stored_size=store.stored_size,
        trainable=not poor,
        problem=poor[0] if poor else "",
    )


def _hopeless(inspection: Inspection, problem: UserError) -> Report:
    """Return the report on a folder whose names alone forbid training: no picture was read."""
    return Report(
        images=inspection.pictures,
        classes={readable(found.name): found.pictures for found in inspection.classes},
        left_out=[],
        duplicates=0,
        trainable=False,
        problem=f"{problem.title} {problem.hint}",
    )
