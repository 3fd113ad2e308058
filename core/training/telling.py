"""What a run says before its first step: where it computes, how far it is, what it trains on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence

import torch

from core.config import Tier, TrainConfig
from core.dataset.intake import Intake, copies_in, too_many_unreadable
from core.dataset.walk import NO_PICTURE
from core.machine import host_name
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.text import count, megabytes, safe_text
from core.training.loop import Orders, Say, stopped_early

PROGRESS_SECONDS = 0.25
LISTED_LEFT_OUT = 200


class Progress:
    """Says how far scan and decoding are, a few times a second, and ends them when that is ordered."""

    def __init__(self, say: Say, orders: Orders, resumed: bool) -> None:
        self._say = say
        self._orders = orders
        self._resumed = resumed
        self._next = 0.0

    def scanned(self, met: int) -> None:
        self._tell(ev.Preparing(stage="scan", done=met, total=0), last=False)

    def decoded(self, done: int, total: int) -> None:
        self._tell(ev.Preparing(stage="decode", done=done, total=total), last=done == total)

    def _tell(self, event: ev.Preparing, last: bool) -> None:
        if self._orders.newest() in ("stop", "stop-now", "signal"):
            raise stopped_early(self._resumed)
        now = time.monotonic()
        if now >= self._next or last:
            self._next = now + PROGRESS_SECONDS
            self._say(event)


def started(
    run: RunFolder, config: TrainConfig, where: torch.device, name: str, precision: str
) -> ev.RunStarted:
    return ev.RunStarted(
        run=str(run.path),
        data=config.data,
        epochs=config.epochs,
        device=str(where),
        device_name=name,
        precision=precision,
        pid=os.getpid(),
        hostname=host_name(),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def pixels_lie(tier: Tier, pixels: int, free: int) -> str:
    """Return in words where `pixels` bytes of pictures lie, when the GPU had `free` bytes."""
    where = {
        "device": "lie on the GPU",
        "memory": "lie in this machine's memory, from where each batch is copied",
        "disk": "are read from the cache's file as they are needed",
    }[tier]
    return f"decoded pictures, {megabytes(pixels)}, {where}; the GPU had {megabytes(free)} free"


def weighted(classes: Sequence[str], weights: Sequence[float]) -> str:
    """Return in words that pictures of rare classes count more than others."""
    most, least = (pick(range(len(classes)), key=weights.__getitem__) for pick in (max, min))
    return (
        f"classes are uneven: a picture of {safe_text(classes[most])} counts"
        f" {weights[most] / weights[least]:.1f} times as much as one of {safe_text(classes[least])}"
    )


def tell_dataset(intake: Intake, say: Say) -> None:
    """Say what is trained on, and what is not."""
    store, dealt = intake.pictures, intake.dealt
    manifest, left_out = dealt.manifest, intake.left_out
    # Lists of labels and the like lie beside the pictures of many data sets, one for each.
    listed = [file for file in left_out if file.reason != NO_PICTURE][:LISTED_LEFT_OUT]
    for file in listed:
        say(ev.LeftOut(path=file.path, reason=file.reason))
    if damaged := too_many_unreadable(store):
        say(ev.Note(level="warning", text=damaged))
    if len(left_out) > len(listed):
        more = count(len(left_out) - len(listed), "more file")
        say(ev.Note(level="warning", text=f"{more} left out; the doctor names them"))
    if intake.scan.parts:
        text = "used as dealt into folders; parts that are missing are dealt from train"
        say(ev.Note(level="info", text=text))
    copies = copies_in(store)
    if copies.mixed:
        pictures = count(len(copies.mixed), "picture lies", "pictures lie")
        text = f"{pictures} in more than one class, itself or as a near copy"
        say(ev.Note(level="warning", text=text))
    if dealt.apart:
        text = f"near copies in {', '.join(dealt.apart)} are too many to be kept on one side of the split"
        say(ev.Note(level="warning", text=text))
    say(
        ev.DatasetReady(
            classes=manifest.classes,
            train=manifest.counts("train"),
            validation=manifest.counts("validation"),
            test=manifest.counts("test"),
            left_out=len(left_out),
            duplicates=copies.duplicates,
            near_copies=copies.near_copies,
            leaked=dealt.leaked,
            dealt=[*intake.scan.dealt],
            channels=store.channels,
            stored_size=store.stored_size,
            split_hash=manifest.digest(),
        )
    )
