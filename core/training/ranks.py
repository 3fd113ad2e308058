"""One training by several processes, on one or several machines: DistributedDataParallel, in few calls.

Each draws the whole batch and takes its slice of it, so that the batches are those of one process and
gradients, averaged over ranks while they are still computed, too. Rank 0 alone speaks, saves, validates and
takes orders; the others do what it did. The GPU's lines are those of the CPU: NCCL instead of gloo.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from core.errors import RunFailedError, UserError
from core.lifeline import FirstRank, OtherRank
from core.processes import cpu_count
from core.runs.events import Step
from core.training import device
from core.training.batches import everything
from core.training.best import BestKeeper
from core.training.meter import Meter

if TYPE_CHECKING:
    from core.training.loop import Command, Orders

# Time for all ranks to come together, each of which imports torch first.
JOIN_TIMEOUT = timedelta(minutes=5)
# The others wait for as long as rank 0 decodes, validates or stands still under `pause`; that a rank is
# gone is told by its line.
TIMEOUT = timedelta(days=20)
# Rank 0 passes orders on so often, and after so many steps at most.
MEETING_SECONDS = 0.2
MOST_STEPS_APART = 100
LOOK_SECONDS = 0.05

_ORDERS: tuple[Command | None, ...] = (
    *(None, "go", "pause", "stop", "stop-now"),
    *("signal", "time"),
)
_SEED_FACTORS = (1_000_003, 8_191)

Result = TypeVar("Result")


class Ranks:
    """A process that trains alone: all is as if nothing of this was there."""

    rank, size = 0, 1
    # How many processes of this training the machine has.
    neighbours = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that speaks, saves and decides."""
        return self.rank == 0

    def choose(self, wanted: str) -> torch.device:
        """Return this rank's device, ready for work.

        Raises:
            UserError: it cannot be used, or there are fewer than ranks on this machine.
        """
        return device.choose(wanted)

    def name(self, where: torch.device) -> str:
        """Return what a person calls the devices of all ranks."""
        return device.name(where)

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """Return what `work` gives: done by rank 0, then by the first of each machine, then by the rest.

        What the one before has put into a cache is there for the next.
        """
        return work()

    def check(self, smallest: int, *known: object) -> None:
        """Raise what stands against training together; `smallest` is the least that a batch holds.

        Raises:
            UserError: it is too small to be shared, or (RunFailedError) what is `known` differs.
        """

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what the forward pass goes through; the gradients it leaves are those of the whole batch."""
        return model

    def seed(self, seed: int, step: int) -> None:
        """Make what is drawn in this step, such as dropout, a function of (seed, step, rank)."""

    def share(self, count: int) -> slice:
        """Return which of the `count` pictures of a batch are this rank's."""
        return everything(count)

    def weighted(self, loss: Tensor, count: int, whole: int) -> Tensor:
        """Return the mean `loss` of `count` of the `whole` pictures, for a mean over ranks to be that of all."""
        return loss

    def meter(self, where: torch.device) -> Meter:
        """Return what counts the batches of all ranks."""
        return Meter(where)

    def orders(self, given: Orders) -> Orders:
        """Return the orders that all ranks obey at the same step: those `given` to rank 0."""
        return given

    def follow(self, keeper: BestKeeper) -> None:
        """Have all keepers know the best epoch and its score, as rank 0 has found them."""

    def leave(self) -> None:
        """Go apart: what is left to be done is for rank 0 alone."""


ALONE = Ranks()


def join(line: FirstRank | OtherRank | None) -> Ranks:
    """Return this process among all that train together, once they are all there.

    Raises:
        RuntimeError: they do not come, or not to each other.
    """
    if line is None:
        return ALONE
    dist.init_process_group("gloo", init_method="env://", timeout=JOIN_TIMEOUT)
    where = torch.zeros(2, dtype=torch.int64)
    if isinstance(line, FirstRank):
        where = torch.tensor([line.port, line.token])
    dist.broadcast(where, 0)
    if isinstance(line, OtherRank):
        line.tie(*where.tolist())
    dist.barrier()
    return _Several(line)


class _Several(Ranks):
    """One of several; orders and numbers go over gloo, gradients by NCCL where there are GPUs."""

    def __init__(self, line: FirstRank | OtherRank) -> None:
        self._line = line
        self._place = line.place
        self.rank, self.size = line.place.rank, line.place.size
        self.neighbours = line.place.local_size
        self._hosts = _new_group("gloo")
        self._devices = self._hosts
        self._device = torch.device("cpu")

    def choose(self, wanted: str) -> torch.device:
        here = self._place
        if wanted == "cpu":
            self._device = device.choose("cpu")
            torch.set_num_threads(max(cpu_count() // here.local_size, 1))
            return self._device
        there = torch.cuda.device_count()
        if 0 < there < here.local_size:
            raise UserError(
                f"This machine has {there} usable GPU, and {here.local_size} processes want one each.",
                "Lower --gpus, or what torchrun was told by --nproc-per-node.",
            )
        self._device = device.choose(f"cuda:{here.local_rank}")
        self._devices = _new_group("nccl")
        return self._device

    def name(self, where: torch.device) -> str:
        return f"{self.size} × {device.name(where)}"

    def in_turn(self, work: Callable[[], Result]) -> Result:
        turn = 0 if self.leads else 1 if self._place.local_rank == 0 else 2
        results = []
        for now in range(3):
            if now == turn:
                results.append(work())
            meeting = dist.barrier(group=self._hosts, async_op=True)
            # Looked for, and not waited for in torch: so there is a sign of life while others decode.
            while not meeting.is_completed():
                time.sleep(LOOK_SECONDS)
            meeting.wait()
        return results[0]

    def check(self, smallest: int, *known: object) -> None:
        if smallest < self.size:
            raise UserError(
                f"A step with {smallest} pictures cannot be shared by {self.size} processes.",
                "Train with fewer, or raise --batch-size.",
            )
        digest = hashlib.blake2b(repr(known).encode(), digest_size=7).digest()
        mine = torch.tensor([int.from_bytes(digest)])
        first = mine.clone()
        dist.broadcast(first, 0, group=self._hosts)
        if not torch.equal(mine, first):
            raise RunFailedError(
                "It has not the pictures, the checkpoint and the settings that rank 0 has.",
                "All machines must see the same data folder and the same folder of runs.",
            )

    def wrap(self, model: nn.Module) -> nn.Module:
        return DistributedDataParallel(
            model,
            device_ids=None if self._device.type == "cpu" else [self._device],
            process_group=self._devices,
            gradient_as_bucket_view=True,
        )

    def seed(self, seed: int, step: int) -> None:
        first, second = _SEED_FACTORS
        torch.manual_seed(((seed * first + step) * second + self.rank) % 2**63)

    def share(self, count: int) -> slice:
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def weighted(self, loss: Tensor, count: int, whole: int) -> Tensor:
        return loss if count * self.size == whole else loss * (count * self.size / whole)

    def meter(self, where: torch.device) -> Meter:
        return _SharedMeter(where, self._devices, self.leads)

    def orders(self, given: Orders) -> Orders:
        return _SharedOrders(given, self._hosts, self.leads)

    def follow(self, keeper: BestKeeper) -> None:
        numbers = torch.tensor([float(keeper.epoch), *keeper.score], dtype=torch.float64)
        dist.broadcast(numbers, 0, group=self._hosts)
        if not self.leads:
            epoch, accuracy, loss = numbers.tolist()
            keeper.go_on_from({}, int(epoch), (accuracy, loss))

    def leave(self) -> None:
        if isinstance(self._line, FirstRank):
            self._line.release()
        dist.destroy_process_group()


def _new_group(backend: str) -> dist.ProcessGroup:
    group = dist.new_group(backend=backend, timeout=TIMEOUT)
    assert isinstance(group, dist.ProcessGroup)
    return group


class _SharedMeter(Meter):
    """Counts what all ranks have answered; only rank 0 looks."""

    def __init__(self, where: torch.device, group: dist.ProcessGroup, leads: bool) -> None:
        super().__init__(where)
        self._group = group
        self._leads = leads

    def pooled(self, sums: Tensor) -> Tensor:
        # On a GPU this is queued behind the step, and no host waits for it.
        dist.all_reduce(sums, group=self._group)
        return sums

    def due(self) -> bool:
        return self._leads and super().due()

    def read(self, epoch: int, step: int, learning_rate: float) -> Step | None:
        return super().read(epoch, step, learning_rate) if self._leads else None


class _SharedOrders:
    """Rank 0's orders for all, passed on every few steps, so that a quick step does not wait for them.

    Each rank asks once before each step, so that all meet before the same one; hosts wait for each other
    there, no device does.
    """

    def __init__(self, given: Orders, group: dist.ProcessGroup, leads: bool) -> None:
        self._given = given
        self._group = group
        self._leads = leads
        self._order: Command | None = None
        self._apart = self._left = 0
        self._met = time.monotonic()

    def newest(self) -> Command | None:
        if self._left:
            self._left -= 1
            return self._order
        word = torch.zeros(2, dtype=torch.int64)
        if self._leads:
            order = self._given.newest()
            word[0], word[1] = _ORDERS.index(order), self._until_next(order)
        dist.broadcast(word, 0, group=self._group)
        number, self._apart = word.tolist()
        self._order, self._left = _ORDERS[number], self._apart
        self._met = time.monotonic()
        return self._order

    def _until_next(self, order: Command | None) -> int:
        """Return how many times orders are asked for before they are passed on again."""
        if order == "pause":
            return 0
        each = (time.monotonic() - self._met) / (self._apart + 1)
        wanted = min(int(MEETING_SECONDS / max(each, 1e-9)), MOST_STEPS_APART)
        # At an epoch's end they are asked for twice with no step between, which says nothing of the pace.
        return min(wanted, 2 * self._apart + 1)
