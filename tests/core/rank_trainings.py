"""Trainings of a small network, by one process or as one of several: `rank_trainings FOLDER` is a rank.

A rank writes what it has come to into FOLDER: the weights of each training, and what was refused.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.errors import UserError
from core.lifeline import FirstRank, OtherRank, place
from core.runs import events as ev
from core.runs.checkpoints import Checkpoints
from core.training import ranks as several
from core.training import recipe
from core.training.best import BestKeeper
from core.training.checkpoint import Saver
from core.training.loop import Command, Job, train
from core.training.ranks import Ranks, join
from tests.core.test_resume import CPU, ORIGIN, part

# Batches of 7 and 6 pictures: two ranks share the larger ones unequally.
CONFIG = TrainConfig(data="d", epochs=3, batch_size=7, learning_rate=3e-4, augment="strong")
PATIENT = TrainConfig(data="d", epochs=50, batch_size=20, learning_rate=1e-12, patience=2)
STOP_AT = 8


class Orders:
    """Gives one order after another, each time one is asked for; the last one stands."""

    def __init__(self, orders: Sequence[Command | None] = (None,)) -> None:
        self._orders = list(orders)

    def newest(self) -> Command | None:
        return self._orders.pop(0) if len(self._orders) > 1 else self._orders[0]


def trained(
    ranks: Ranks,
    folder: Path,
    config: TrainConfig = CONFIG,
    dropout: float = 0.0,
    orders: Sequence[Command | None] = (None,),
) -> tuple[dict[str, Tensor], list[ev.Event]]:
    """Train as `config` says, from the checkpoint in `folder` if there is one; return weights and events."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 7, 4), nn.ReLU(), nn.Dropout(dropout), nn.Flatten()),
        nn.Linear(8 * 15**2, 2),
    )
    training, validation = part(40, 0), part(16, 1)
    job = Job(
        config=config,
        recipe=recipe.plan(config, len(training), CPU),
        model=model.to(memory_format=torch.channels_last),
        train=training,
        validation=validation,
        device=CPU,
        precision="fp32",
        copies=1.0,
        weights=torch.ones(2),
        probes=lambda answers: [],
        ranks=ranks,
    )
    events: list[ev.Event] = []
    store = Checkpoints(folder)
    saver = Saver(
        *(store, ORIGIN, job.recipe, events.append, store.newest()),
        began=time.monotonic(),
        writes=ranks.leads,
    )
    train(job, BestKeeper(lambda state, epoch: None), Orders(orders), saver, events.append)
    saver.close()
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, events


def tied(folder: Path) -> AbstractContextManager[FirstRank | OtherRank]:
    """Return the line of this process, whose place is in its environment."""
    here = place()
    assert here is not None
    if here.rank:
        return OtherRank(here)
    return FirstRank(here, [], lambda error: os._exit(9), "")


def main(folder: Path) -> None:
    """Do all trainings as one of several ranks."""
    torch.set_num_threads(1)
    with tied(folder) as line:
        ranks = join(line)
        weights: dict[str, Tensor] = {}
        said: list[str] = []
        todo: dict[str, Callable[[], tuple[dict[str, Tensor], list[ev.Event]]]] = {
            "whole": lambda: trained(ranks, folder / "none"),
            "dropout": lambda: trained(ranks, folder / "none", dropout=0.5),
            "stopped": lambda: trained(ranks, folder / "c", dropout=0.5, orders=STOPPED),
            "resumed": lambda: trained(ranks, folder / "c", dropout=0.5),
            "patient": lambda: trained(ranks, folder / "none", PATIENT),
        }
        for name, do in todo.items():
            # An order that is meant for a step must be asked for before each.
            several.MEETING_SECONDS = 0.0 if name == "stopped" else 0.2
            state, events = do()
            # No rank looks for a checkpoint before it is written.
            ranks.in_turn(lambda: None)
            weights |= {f"{name}.{key}": tensor for key, tensor in state.items()}
            said += [f"{name} {ev.encode(event).decode()}" for event in events]
        refused = []
        for smallest, known in ((1, 0), (2, ranks.rank)):
            try:
                ranks.check(smallest, known)
            except UserError as error:
                refused.append(error.title)
        drawn = [ranks.in_turn(lambda: time.monotonic())]
        safetensors.torch.save_file(weights, folder / f"{ranks.rank}.safetensors")
        lines = [*said, *(f"refused {title}" for title in refused), f"turn {drawn[0]}"]
        (folder / f"{ranks.rank}.txt").write_text("\n".join(lines))
        # The end of the first rank is that of all: it waits until they have written.
        ranks.in_turn(lambda: None)
        ranks.leave()


STOPPED: list[Command | None] = [*[None] * STOP_AT, "pause", "pause", "go", "stop-now"]

if __name__ == "__main__":
    main(Path(sys.argv[1]))
