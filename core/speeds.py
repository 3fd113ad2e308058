"""How fast training was on this machine: kept in the user's cache by device, sizes and settings."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

from core import costs
from core.config import TrainConfig
from core.costs import Costs, Sizes
from core.errors import UserError
from core.files import UnreadableError, read_bytes, write_atomically
from core.runs.folder import RunFolder

Teller = Literal["measurement", "training"]
MOST_KEPT = 300
MOST_BYTES = 2**20


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Training pictures a second, and whether a short measurement or a whole training told so.

    `when` is in seconds since 1970.
    """

    images_per_second: float
    told_by: Teller
    when: float = msgspec.field(default_factory=time.time)


def speeds_path() -> Path:
    """Return the file of all that is known; it may be deleted at any time."""
    return platformdirs.user_cache_path("alexnet-tui") / "speeds.json"


def look_up(config: TrainConfig, sizes: Sizes) -> tuple[Costs, Speed | None]:
    """Return what a training takes, and its speed where that was told before."""
    return costs.costs(config, sizes), _load().get(_key(config, sizes))


def keep_rate(
    config: TrainConfig, sizes: Sizes, images_per_second: float, told_by: Teller
) -> Speed:
    """Keep how fast a training is or was; what cannot be kept is not missed."""
    speed = Speed(images_per_second=images_per_second, told_by=told_by)
    speeds = _load() | {_key(config, sizes): speed}
    newest = sorted(speeds.items(), key=lambda pair: pair[1].when)[-MOST_KEPT:]
    with suppress(OSError):
        speeds_path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(speeds_path(), [msgspec.json.encode(dict(newest))])
    return speed


def keep_speed_of(run: RunFolder) -> None:
    """Keep how fast a training was that came to its end."""
    now = run.results()
    if now.dataset is None or now.ended is None:
        return
    sizes = Sizes(
        classes=len(now.dataset.classes),
        train=sum(now.dataset.train),
        validation=sum(now.dataset.validation),
        test=sum(now.dataset.test),
        channels=now.dataset.channels,
        stored_size=now.dataset.stored_size,
    )
    keep_rate(run.config(), sizes, now.ended.images_per_second, "training")


def refuse_busy(config: TrainConfig) -> None:
    """Refuse to measure on a device that a living run trains on, or what only a whole training tells.

    Raises:
        UserError: one does, or several devices are to train together.
    """
    if config.gpus > 1:
        raise UserError(
            f"Not measured: {config.gpus} GPUs.", "Their speed is known after the first training."
        )
    for run in RunFolder.all():
        if run.alive() and costs.same_device(config, run.config()):
            raise UserError("Not measured: a run goes on.", "Wait for its end.")


def _key(config: TrainConfig, sizes: Sizes) -> str:
    """Return what the speed depends on, as one line."""
    device = costs.device_of(config)
    batch = costs.batch_size(config, sizes.train, device.is_gpu)
    settings = (config.image_size, config.augment, config.freeze, config.precision)
    pixels = () if config.pixels == "auto" else (config.pixels,)
    name = device.name if config.gpus == 1 else f"{config.gpus} × {device.name}"
    return " ".join(map(str, (*settings, *pixels, batch, sizes.channels, sizes.stored_size, name)))


def _load() -> dict[str, Speed]:
    with suppress(UnreadableError, msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.decode(read_bytes(speeds_path(), MOST_BYTES), type=dict[str, Speed])
    return {}
