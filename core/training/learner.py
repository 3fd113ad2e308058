"""All that changes while training, as tensors and numbers that a file can hold, and back.

The order of the pictures and their augmentation are functions of (seed, epoch, step), so that the step is
all of them that needs saving. Tensors are stored as safetensors, numbers as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import RunFailedError
from core.model.bundle import header
from core.runs.checkpoints import Checkpoint
from core.training.adamw import AdamW
from core.training.best import BestKeeper
from core.training.meter import Meter
from core.training.recipe import Recipe

# Numbers that are written at once: what is lent is copied by as much.
PIECE = 2**22
STATE, BEST = "state.safetensors", "best.safetensors"
_DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8"}

Tensors = dict[str, Tensor]
Array = NDArray[Any]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run computes and on what; with another one it cannot go on, or not to the last digit."""

    device: str
    precision: str
    versions: dict[str, str]
    split_hash: str
    channels: int
    stored_size: int


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint holds beside its tensors; `run_seconds` is how old the run was, without breaks."""

    version: Literal[3]
    origin: Origin
    recipe: Recipe
    best_epoch: int
    best_score: tuple[float, float]
    scaler: dict[str, int | float]
    epoch_count: int
    images: int
    seconds: float
    run_seconds: float


@dataclass(frozen=True, kw_only=True)
class Learner:
    """All that changes while training; with the step it is all that is needed to go on."""

    model: nn.Module
    average: nn.Module
    optimizer: AdamW
    scaler: torch.amp.GradScaler
    meter: Meter
    keeper: BestKeeper

    def tensors(self) -> Tensors:
        """Return the tensors as they are used, but for the best weights; they change with the next step."""
        found = {
            f"{prefix}.{name}": tensor
            for prefix, network in (("model", self.model), ("average", self.average))
            for name, tensor in network.state_dict().items()
        }
        for i, parameter in enumerate(self._parameters()):
            for name, tensor in self.optimizer.state[parameter].items():
                found[f"optimizer.{i}.{name}"] = tensor
        found |= {"meter": self.meter.sums, "random.cpu": torch.get_rng_state()}
        if self.meter.sums.is_cuda:
            found["random.cuda"] = torch.cuda.get_rng_state(self.meter.sums.device)
        return found

    def numbers(self, origin: Origin, recipe: Recipe, run_seconds: float) -> Numbers:
        """Return the numbers that go with the tensors."""
        return Numbers(
            version=3,
            origin=origin,
            recipe=recipe,
            best_epoch=self.keeper.epoch,
            best_score=self.keeper.score,
            scaler=self.scaler.state_dict(),
            epoch_count=self.meter.count,
            images=self.meter.images,
            seconds=self.meter.seconds,
            run_seconds=run_seconds,
        )

    def go_on_from(self, tensors: Tensors, best: Tensors, numbers: Numbers) -> None:
        """Take over what another process had come to, to the last bit on the same CPU."""
        device = self.meter.sums.device
        self.model.load_state_dict(_under("model.", tensors))
        self.average.load_state_dict(_under("average.", tensors))
        for i, parameter in enumerate(self._parameters()):
            for name, tensor in _under(f"optimizer.{i}.", tensors).items():
                # In the parameter's memory layout, as the optimizer had made it.
                like = parameter.detach() if tensor.shape == parameter.shape else tensor
                kept = torch.empty_like(like, dtype=tensor.dtype, device=parameter.device)
                self.optimizer.state[parameter][name] = kept.copy_(tensor)
        if self.scaler.is_enabled() and numbers.scaler:
            self.scaler.load_state_dict(numbers.scaler)
        self.meter.go_on_from(
            tensors["meter"], numbers.epoch_count, numbers.images, numbers.seconds
        )
        self.keeper.go_on_from(
            {name: tensor.to(device) for name, tensor in best.items()},
            numbers.best_epoch,
            numbers.best_score,
        )
        torch.set_rng_state(tensors["random.cpu"])
        if device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], device)

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def read_numbers(checkpoint: Checkpoint) -> Numbers:
    """Return the numbers of a checkpoint.

    Raises:
        RunFailedError: another version of this program has written it.
    """
    try:
        return msgspec.json.decode(checkpoint.numbers, type=Numbers)
    except msgspec.MsgspecError as error:
        raise RunFailedError(
            "The checkpoint was made by another version of this program.",
            "Go on with that version, or train anew.",
        ) from error


def restore(learner: Learner, checkpoint: Checkpoint) -> None:
    """Put `learner` where the checkpoint stands; its files are let go of, they are as large as all else."""
    state, best = (safetensors.torch.load(checkpoint.files.pop(name)) for name in (STATE, BEST))
    learner.go_on_from(state, best, read_numbers(checkpoint))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def flat(tensor: Tensor) -> Array:
    """Return the numbers of `tensor` in row-major order, `(numel,)`, in its own memory where they lie so there.

    By numpy: torch's copies would start threads beside those that train.
    """
    return np.ascontiguousarray(tensor.detach().cpu().numpy()).reshape(-1)


def pieces(size: int) -> Iterator[slice]:
    """Yield the parts in which `size` numbers are written."""
    return (slice(first, first + PIECE) for first in range(0, size, PIECE))


def encoded(
    tensors: Mapping[str, Tensor], take: Callable[[str], Iterator[Array]]
) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file of `tensors`, whose numbers are asked for one by one.

    Raises:
        OverflowError: a value is not a number, so that this is no state to go on from.
    """
    yield header(
        (name, _DTYPES[tensor.dtype], tensor.shape, tensor.numel() * tensor.element_size())
        for name, tensor in tensors.items()
    )
    for name in list(tensors):
        for array in take(name):
            with np.errstate(all="ignore"):
                if array.dtype.kind == "f" and not np.isfinite(array.sum()):
                    raise OverflowError("not a number")
            yield array.data.cast("B")
