"""Orders to a living run, and the end of a trainer that hears none."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError
from core.machine import host_name
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.heartbeat import SILENT_SECONDS
from core.runs.orders import Order
from core.runs.resuming import check_obeying
from core.text import safe_text

if TYPE_CHECKING:
    import psutil

# A trainer that still hears signals saves a checkpoint in that time.
TERM_SECONDS, KILL_SECONDS = 10.0, 10.0
_LOOK_SECONDS = 0.05


def give_order(run: RunFolder, order: Order) -> bool:
    """Give a living run an order; return whether its trainer had to be ended for it.

    That is so where it is to stop at once and has given no sign of life for `SILENT_SECONDS`: it is ended by
    SIGTERM, and if it does not hear that either, by SIGKILL. What its checkpoints have stays. Blocks until then.

    Raises:
        UserError: it is not being trained, takes no more orders, or cannot be ended.
    """
    if order == "stop-now" and run.alive() and run.silence().seconds() >= SILENT_SECONDS:
        _end(run)
        return True
    check_obeying(run)
    run.order(order)
    return False


def _end(run: RunFolder) -> None:
    # Here alone: importing it takes longer than an order.
    import psutil

    trainer = _trainer(run)
    try:
        for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            trainer.send_signal(number)
            if _is_gone(run, seconds):
                return
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise UserError(
            f"The run {run.name} gives no sign of life, and its trainer is another user's.",
            f"That user or root can end process {trainer.pid}.",
        ) from None
    raise UserError(
        f"The trainer of {run.name} cannot be ended: the kernel waits for a disk or a driver.",
        f"Process {trainer.pid} ends when that answers.",
    )


def _trainer(run: RunFolder) -> psutil.Process:
    """Return the process that trains `run`, by what it has said of itself, if it is still that one."""
    import psutil

    said = [event for event in run.past_events() if isinstance(event, ev.RunStarted)]
    here = host_name()
    if said and said[-1].hostname not in ("", here):
        raise UserError(
            f"The run {run.name} gives no sign of life, and is trained on {safe_text(said[-1].hostname)}.",
            f"There: run_tui.py stop {run.name} --now",
        )
    try:
        trainer = psutil.Process(said[-1].pid if said else -1)
        *_, what, _, folder = trainer.cmdline()
        if what == "core.worker" and Path(trainer.cwd(), folder).samefile(run.path):
            return trainer
    except (psutil.Error, ValueError, OSError):
        pass
    raise UserError(
        f"The run {run.name} gives no sign of life, and its trainer is not to be found.",
        f"Something holds {run.path}; look for a process of core.worker.",
    )


def _is_gone(run: RunFolder, seconds: float) -> bool:
    """Wait until nobody trains `run`, for so long at most."""
    end = time.monotonic() + seconds
    while run.alive():
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
