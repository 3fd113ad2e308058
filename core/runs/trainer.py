"""Who trains a run: told by the trainer itself as soon as it holds the run, before it loads anything."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from core.files import write_atomically
from core.machine import host_name

_NAME = "trainer"


class Trainer(msgspec.Struct, frozen=True):
    """A process on a machine."""

    pid: int
    host: str


def sign(run: Path) -> None:
    """Have this process be known as the trainer of the run in the folder `run`, where that can be written."""
    with suppress(OSError):
        (run / _NAME).unlink(missing_ok=True)
        me = Trainer(pid=os.getpid(), host=host_name())
        write_atomically(run / _NAME, [msgspec.json.encode(me)])


def signed(run: Path) -> Trainer | None:
    """Return who has signed last, None where that cannot be told."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((run / _NAME).read_bytes(), type=Trainer)
    return None
