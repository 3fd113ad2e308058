"""What a training will take, in words: memory, disk, time."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from core.config import TrainConfig
from core.engine import Costs, Inspection, Need, Report, Sizes, Speed, planned_parts, seconds_of
from core.text import duration
from tui.words import plain

GIB = 2**30
LABEL_CELLS = 8
ROOMY_CELLS = 50
# Squares are kept somewhat larger than the network sees them, so that they can be shifted and turned.
KEPT_SHARE = 8 / 7


def sizes_of(inspection: Inspection, report: Report | None, config: TrainConfig) -> Sizes | None:
    """Return how many pictures fall where and how they are kept: as examined, else as planned.

    None where there is nothing to train on.
    """
    if inspection.problem is not None or (report is not None and not report.trainable):
        return None
    if report is not None and report.parts:
        parts = report.parts
    else:
        parts = planned_parts([found.pictures for found in inspection.classes], config.split)
    train, validation, test = (sum(numbers) for numbers in zip(*parts, strict=True))
    return Sizes(
        classes=len(inspection.classes),
        train=train,
        validation=validation,
        test=test,
        channels=(report.channels if report else 0) or 3,
        stored_size=(report.stored_size if report else 0) or round(config.image_size * KEPT_SHARE),
    )


def cost_lines(
    config: TrainConfig, sizes: Sizes, costs: Costs, speed: Speed | None, said: str, width: int
) -> Iterator[Content]:
    """Yield a line of `width` each for memory, disk and time; `said` stands where no speed is known."""
    yield _need("on GPU" if costs.on_gpu else "memory", costs.memory)
    if costs.disks:
        yield _need("disk", costs.disks[0])
    unit = " images/s" if width >= ROOMY_CELLS else "/s"
    time = time_words(config, sizes, speed, unit) or said
    yield plain(f"  {'time':<{LABEL_CELLS}}{time}")


def time_words(config: TrainConfig, sizes: Sizes, speed: Speed | None, unit: str = "/s") -> str:
    """Return how long training takes and by which speed, nothing where none is known."""
    if speed is None:
        return ""
    took = duration(seconds_of(config, sizes, speed.images_per_second))
    told = "measured" if speed.told_by == "measurement" else "last run"
    return f"{took} ({told} {speed.images_per_second:,.0f}{unit})"


def in_short(config: TrainConfig, sizes: Sizes, costs: Costs, speed: Speed | None) -> str:
    """Return what is short, marked, else the time, for windows without room for more."""
    if costs.memory.is_short:
        return f"! memory: {_of(costs.memory)}"
    if costs.disks and costs.disks[0].is_short:
        return f"! disk: {_of(costs.disks[0])}"
    return duration(seconds_of(config, sizes, speed.images_per_second)) if speed else ""


def _need(what: str, need: Need) -> Content:
    if need.is_short:
        return plain(f"! {what:<{LABEL_CELLS}}{_of(need)}", "bold $text-warning")
    return plain(f"  {what:<{LABEL_CELLS}}{_of(need)}")


def _of(need: Need) -> str:
    free = "" if need.free is None else f" of {size_words(need.free)} free"
    return size_words(need.bytes) + free


def size_words(size: int) -> str:
    """Return a number of bytes as people say it, in binary units as devices are sold."""
    return f"{size / GIB:,.1f} GB" if size >= GIB / 2 else f"{size / 2**20:,.0f} MB"
