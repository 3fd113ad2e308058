"""What a training will take in memory, disk and time, told from its settings and sizes without torch."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from math import log2
from pathlib import Path
from typing import Literal

import msgspec

from core import machine
from core.config import Tier, TrainConfig
from core.dataset import cache
from core.errors import UserError
from core.runs.checkpoints import KEPT
from core.runs.folder import runs_root
from core.text import megabytes, safe_text

FLOAT = 4
# AlexNet without its last layer, and the inputs of that layer (Krizhevsky 2014, as torchvision builds it).
BODY = 57_003_840
HEAD_INPUTS = 4096
# Pictures that are answered at once when the model is evaluated (core/evaluation/answers.py): as many of 224
# pixels on a GPU; on a CPU more would take little less time, and memory beside a checkpoint's copy.
EVALUATED_ON_GPU, EVALUATED_ON_CPU = 128, 64
# What a process holds before it has a model: interpreter and torch; on a GPU the context and the kernels.
HOST_BASE = 600 * 2**20
GPU_BASE = 800 * 2**20
# A file system that compresses needs a little less for weights than they have bytes.
SURELY_WRITTEN = 0.9
# A picture goes forward only when it is evaluated, which is a third of the work of a step.
STEP_WORK = 3.0
# Decoded pixels take so much at most of what a memory has free; the rest is for what a step leaves.
RESIDENT_SHARE = 0.6


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many pictures fall where, and how they are kept: squares of `stored_size` pixels a side."""

    classes: int
    train: int
    validation: int
    test: int
    channels: int
    stored_size: int

    @property
    def pixels(self) -> int:
        """The bytes of all decoded pictures."""
        return (self.train + self.validation + self.test) * self.channels * self.stored_size**2


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured: settings and sizes, as they cross to the process that does it."""

    config: TrainConfig
    sizes: Sizes

    def encoded(self) -> str:
        """Return it as one line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decoded(cls, line: str) -> Trial:
        """Return what `encoded` gave."""
        return msgspec.json.decode(line, type=cls)


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are wanted of what is free, which is None where nobody says."""

    bytes: int
    free: int | None

    @property
    def is_short(self) -> bool:
        return self.free is not None and self.bytes > self.free


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the device, and disk by the disks that are written to: the fullest first."""

    on_gpu: bool
    device: str
    batch_size: int
    memory: Need
    disks: tuple[Need, ...]


def costs(config: TrainConfig, sizes: Sizes) -> Costs:
    """Return what training with `config` on pictures of these `sizes` takes; asks the system, so blocks."""
    device = device_of(config)
    batch = batch_size(config, sizes.train, device.is_gpu)
    free = _free_memory(device)
    # Of a GPU that does not tell what is free it is taken that they fit.
    room = sys.maxsize if free is None else free
    resident = not device.is_gpu or tier(config.pixels, sizes.pixels, room) == "device"
    return Costs(
        on_gpu=device.is_gpu,
        device=device.name,
        batch_size=batch,
        memory=Need(
            # Several processes on the CPU have its memory together, each GPU has its own.
            bytes=memory(config, sizes, -(-batch // config.gpus), device.is_gpu, resident)
            * (1 if device.is_gpu else config.gpus),
            free=free,
        ),
        disks=tuple(sorted(_disks(config, sizes), key=lambda need: (need.free or 0) - need.bytes)),
    )


def device_of(config: TrainConfig) -> machine.Device:
    """Return the device that `config` means on this machine."""
    gpus = [] if config.device == "cpu" else machine.gpus()
    index = _index(config)
    if index < len(gpus):
        return gpus[index]
    return machine.Device(name=machine.processor_name(), is_gpu=False)


def same_device(one: TrainConfig, other: TrainConfig) -> bool:
    """Tell whether two trainings would share a GPU, or the processor."""
    kinds = device_of(one).is_gpu, device_of(other).is_gpu
    if kinds != (True, True):
        return kinds == (False, False)
    first, second = _index(one), _index(other)
    return max(first, second) < min(first + one.gpus, second + other.gpus)


def _index(config: TrainConfig) -> int:
    return int(config.device.partition(":")[2] or 0)


def batch_size(config: TrainConfig, pictures: int, on_gpu: bool) -> int:
    """Return how many pictures a step takes; `auto` gives small sets some dozens of steps an epoch."""
    fitting: int = 2 ** round(log2(max(pictures / 25, 1)))
    auto = min(256 if on_gpu else 128, max(32, fitting))
    return max(min(auto if config.batch_size == "auto" else config.batch_size, pictures), 1)


def parameters(classes: int) -> int:
    """Return how many weights an AlexNet with so many classes has."""
    return BODY + (HEAD_INPUTS + 1) * classes


def tier(
    wanted: Literal["auto", Tier], pixels: int, gpu_free: int | None, processes: int = 1
) -> Tier:
    """Return where `pixels` bytes of decoded pictures lie while training: as near to the device as they fit.

    `gpu_free` is what the GPU has free, None on a CPU; `processes` of this machine would each hold them.
    """
    if wanted != "auto":
        return wanted
    if gpu_free is None:
        # The pages of the cache's file are memory already: resident where they fit, read anew where not.
        return "disk"
    if pixels <= RESIDENT_SHARE * gpu_free:
        return "device"
    return "memory" if processes * pixels <= RESIDENT_SHARE * machine.free_memory() else "disk"


def memory(
    config: TrainConfig, sizes: Sizes, batch: int, on_gpu: bool, resident: bool = True
) -> int:
    """Return the bytes that training holds at its fullest, on the device (a CPU's is the host's).

    base + weights W, their average and its best so far (3W) + gradients and two moments of AdamW (3 of
    what is trained) + the copy that a checkpoint is written from + a bf16 copy where the step is in half
    precision + what a batch leaves for the way back (`activations`), or an evaluated batch where that is
    more + the pixels where they are `resident` on the device. On a GPU a recorded step keeps what it leaves,
    for each of the two sizes that an epoch's batches may have.
    """
    weights, trained = _weights(config, sizes)
    half = on_gpu and config.precision != "fp32"
    step = batch * activations(config.image_size, backward=not config.freeze)
    at_once = _sides(config) * min(sizes.validation, evaluated_at_once(config.image_size, on_gpu))
    evaluation = at_once * activations(config.image_size, backward=False)
    fixed = (GPU_BASE if on_gpu else HOST_BASE) + 3 * weights + 3 * trained
    fixed += _state(config, sizes)
    fixed += weights // 2 if half else 0
    step = step // 2 if half else step
    fixed += sizes.pixels if resident else 0
    return fixed + (2 * step + evaluation if on_gpu else max(step, evaluation))


def evaluated_at_once(image_size: int, on_gpu: bool) -> int:
    """Return how many pictures are answered at once; a GPU gets as much of smaller ones as of those of 224."""
    full = max(224 / image_size, 1) ** 2
    return round(EVALUATED_ON_GPU * full) if on_gpu else EVALUATED_ON_CPU


def _weights(config: TrainConfig, sizes: Sizes) -> tuple[int, int]:
    """Return the bytes of all weights while training, and of those that are trained."""
    weights = parameters(sizes.classes) * FLOAT
    if config.freeze:
        return weights, (HEAD_INPUTS + 1) * sizes.classes * FLOAT
    # Small pictures train fewer, each in place of several (core/model/folded.py).
    left_out = max(36 - last_map(config.image_size) ** 2, 0) * 256 * HEAD_INPUTS * FLOAT
    return weights - left_out, weights - left_out


def _state(config: TrainConfig, sizes: Sizes) -> int:
    """Return the bytes of what changes with a step: weights, their average, two moments of what is trained."""
    weights, trained = _weights(config, sizes)
    return 2 * weights + 2 * trained


def activations(side: int, backward: bool) -> int:
    """Return the bytes that a picture of `side` pixels takes on its way through the network.

    With `backward` all layers keep their outputs, pools the places of their largest (8 bytes each), and
    the largest layer has a gradient; without, only the input, its sampling grid and the first layer count.
    """
    first, second, third, last = _maps(side)
    picture = 3 * side**2
    if not backward:
        return FLOAT * (3 * picture + 2 * 64 * first**2)
    pools = 64 * second**2 + 192 * third**2 + 256 * last**2
    convolutions = 64 * first**2 + 192 * second**2 + (384 + 256 + 256) * third**2
    linear = 4 * 9216 + 4 * 4096
    return FLOAT * (2 * picture + convolutions + pools + linear + 64 * first**2) + 8 * pools


def last_map(image_size: int) -> int:
    """Return the side of the map that AlexNet's convolutions leave of a picture, 6 at 224 pixels."""
    return _maps(image_size)[-1]


def _maps(side: int) -> tuple[int, int, int, int]:
    """Return the sides of the maps after the first convolution and after each pool."""
    first = (side + 2 * 2 - 11) // 4 + 1
    second = (first - 3) // 2 + 1
    third = (second - 3) // 2 + 1
    return first, second, third, max((third - 3) // 2 + 1, 1)


def _sides(config: TrainConfig) -> int:
    """Return how often a picture is looked at to answer: also in the mirror where training has done so."""
    return 1 if config.augment == "none" else 2


def seconds(config: TrainConfig, sizes: Sizes, images_per_second: float) -> float:
    """Return how long all epochs take at that many training pictures a second."""
    work = 1.0 if config.freeze else STEP_WORK
    work /= _sides(config)
    pictures = config.epochs * (sizes.train + sizes.validation / work) + sizes.test / work
    return pictures / max(images_per_second, 1e-9)


def _free_memory(device: machine.Device) -> int | None:
    if device.is_gpu:
        if device.memory_total is None or device.memory_used is None:
            return None
        return device.memory_total - device.memory_used
    return machine.free_memory()


def _disks(config: TrainConfig, sizes: Sizes) -> list[Need]:
    """Return what is written, summed by disk: decoded pixels, the model, the run's copy, its checkpoints.

    What is older stays until the new one is whole, so that no file takes the room of another.
    """
    model = parameters(sizes.classes) * FLOAT
    # Each with the best weights so far, which may be others in each.
    checkpoints = (KEPT + 1) * (_state(config, sizes) + _weights(config, sizes)[0])
    wanted = (
        (cache.cache_root(), sizes.pixels),
        (config.model_file().parent, model),
        (runs_root(), model + checkpoints),
    )
    return [need for _, need in _by_disk(wanted)]


def check_disks(config: TrainConfig, classes: int) -> None:
    """Tell from the settings alone whether a disk is too small for the models and a first checkpoint.

    Pixels are left out, of which nobody knows how many there will be, and so are further checkpoints:
    a short training writes none, and a longer one goes on without them.

    Raises:
        UserError: it is.
    """
    sizes = Sizes(classes=classes, train=0, validation=0, test=0, channels=1, stored_size=0)
    model = parameters(classes) * FLOAT
    checkpoint = _state(config, sizes) + _weights(config, sizes)[0]
    root, target = runs_root(), config.model_file().parent
    for folders, need in _by_disk(((root, model + checkpoint), (target, model))):
        if need.free is not None and need.free < SURELY_WRITTEN * need.bytes:
            ways = {root: "ALEXNET_TUI_RUNS for runs", target: "--out FILE for the model"}
            raise UserError(
                f"The disk of {safe_text(folders[0])} is too small: this training needs"
                f" {megabytes(need.bytes)} there, and {megabytes(need.free)} are free.",
                "Free some space there, or name another disk: "
                f"{', '.join(dict.fromkeys(ways[folder] for folder in folders))}.",
            )


def _by_disk(wanted: Iterable[tuple[Path, int]]) -> list[tuple[list[Path], Need]]:
    """Return by disk which of the folders lie there, and what they want together."""
    disks: dict[int, tuple[list[Path], Need]] = {}
    for folder, size in wanted:
        with suppress(OSError):
            there = _existing(folder)
            disk = os.stat(there).st_dev  # noqa: PTH116
            usage = shutil.disk_usage(there)
            # Some network drives, and what is no disk, tell of no bytes at all.
            free = usage.free if usage.total else None
            folders, need = disks.get(disk, ([], Need(bytes=0, free=free)))
            disks[disk] = [*folders, folder], Need(bytes=need.bytes + size, free=free)
    return list(disks.values())


def _existing(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))
