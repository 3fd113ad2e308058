"""All that is special to a GPU, in one place: which device, which precision, what it has free, a step as a graph.

The CPU goes through the same calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.machine import processor_name
from core.processes import cpu_count, keep_freed_memory

Module = TypeVar("Module", bound=nn.Module)


def choose(wanted: str) -> torch.device:
    """Return the device that the setting means, ready for work.

    Raises:
        UserError: a GPU was asked for by name and cannot be used.
    """
    usable = torch.cuda.is_available()
    if wanted == "cpu" or (wanted == "auto" and not usable):
        torch.set_num_threads(cpu_count())
        keep_freed_memory()
        return torch.device("cpu")
    if not usable:
        raise UserError(
            "No usable GPU was found.", "Train with --device cpu, or look at nvidia-smi."
        )
    # torch wants to be told which GPU is made the current one; of several it is the first.
    device = torch.device("cuda:0" if wanted in ("auto", "cuda") else wanted)
    if device.index >= torch.cuda.device_count():
        raise UserError(
            f"There is no device {wanted}: this machine has {torch.cuda.device_count()} GPU.",
            "Leave --device out, or name one that nvidia-smi lists.",
        )
    torch.cuda.set_device(device)
    # TF32 keeps 10 bits of mantissa, which is more than bf16 has; cudnn times its kernels once.
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return device


def name(device: torch.device) -> str:
    """Return what a person calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def precision(wanted: str, device: torch.device) -> str:
    """Return the precision of the step; on a CPU anything but fp32 only costs time.

    Raises:
        UserError: fp16 was asked for on a CPU, which has no gradients to scale in it.
    """
    if wanted == "auto":
        if device.type == "cpu":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if wanted == "fp16" and device.type == "cpu":
        raise UserError("fp16 needs a GPU.", "Leave --precision out; a CPU takes fp32.")
    return wanted


def autocast(device: torch.device, kind: str) -> AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    if kind == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16 if kind == "bf16" else torch.float16)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a GPU has free, None for a CPU."""
    return None if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]


def move(batch: Tensor, device: torch.device) -> Tensor:
    """Return `batch` on `device`; from pinned memory the copy overlaps with work already queued."""
    if device.type == "cuda" and batch.device.type == "cpu":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


# Of each size of batch so many steps are done kernel by kernel, in which libraries choose what to run; then
# one is recorded, which takes about as long as twenty.
WARM_UP_STEPS = 3
LEAST_REPLAYED = 200

Learn = Callable[[Tensor, Tensor, int], Tensor]


def replayed(learn: Learn, steps: int, device: torch.device, precision: str) -> Learn:
    """Return `learn` as a CUDA graph where `steps` of it are enough to repay that.

    `learn` takes images `(n, 3, S, S)`, labels `(n,)` and the size of the whole batch, which must be n, and
    returns logits; it must not look at a value, and what it returns lasts until the next step. With small
    pictures a host takes longer to launch the hundred kernels of a step than a GPU to run them; a graph
    launches all at once. Not in fp16, whose scaler decides by what came out.
    """
    if device.type != "cuda" or precision == "fp16" or steps < LEAST_REPLAYED:
        return learn
    return _Replayed(learn, device)


def recording() -> bool:
    """Tell whether what is done now is only recorded."""
    begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return begun and torch.cuda.is_current_stream_capturing()


class _Replayed:
    """Records a step for each size of batch, as the notes on CUDA graphs in PyTorch's manual have it."""

    def __init__(self, learn: Learn, device: torch.device) -> None:
        self._learn = learn
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._warm: Counter[int] = Counter()
        # By the size of the batch; None where the memory is too small to record it.
        self._recorded: dict[int, _Recorded | None] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, images: Tensor, labels: Tensor, whole: int) -> Tensor:
        size = len(labels)
        if self._warm[size] < WARM_UP_STEPS:
            self._warm[size] += 1
            return self._aside(images, labels, whole)
        if size not in self._recorded:
            self._recorded[size] = self._record(images, labels, whole)
        step = self._recorded[size]
        if step is None:
            return self._aside(images, labels, whole)
        step.images.copy_(images)
        step.labels.copy_(labels)
        step.graph.replay()
        return step.logits

    def _aside(self, images: Tensor, labels: Tensor, whole: int) -> Tensor:
        """Do a step on the stream that is recorded later: gradients keep to the one where they began."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            logits = self._learn(images, labels, whole)
        current.wait_stream(self._stream)
        return logits

    def _record(self, images: Tensor, labels: Tensor, whole: int) -> _Recorded | None:
        """Return a step that is recorded, and not done by that; None where the memory is too small."""
        try:
            return self._recording(images.clone(), labels.clone(), whole)
        except torch.OutOfMemoryError:
            return None

    def _recording(self, images: Tensor, labels: Tensor, whole: int) -> _Recorded:
        graph = torch.cuda.CUDAGraph()
        # A checkpoint that is written meanwhile may go on: what other threads do is not recorded.
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            logits = self._learn(images, labels, whole)
        return _Recorded(graph, images, labels, logits)


class _Recorded(NamedTuple):
    """A step, where it reads from and where it writes to."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    labels: Tensor
    logits: Tensor


def rate(value: float, model: nn.Module) -> float | Tensor:
    """Return the learning rate as an optimizer of `model` takes it: a recorded step reads it on the device."""
    where = next(model.parameters()).device
    return value if where.type == "cpu" else torch.tensor(value, device=where)


def placed(model: Module, where: torch.device) -> Module:
    """Return `model` on the device, in the layout of memory in which its convolutions are quickest."""
    return model.to(where).to(memory_format=torch.channels_last)


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute in true fp32, so that a CPU gives the same answers as the GPU that trained."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
