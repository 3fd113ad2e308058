"""Orders to a living run, and the end of a trainer that hears none."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError
from core.machine import host_name
from core.runs.folder import RunFolder
from core.runs.heartbeat import BEAT_SECONDS, SILENT_SECONDS, Silence
from core.runs.orders import Order
from core.runs.resuming import check_obeying
from core.runs.trainer import signed
from core.text import safe_text

if TYPE_CHECKING:
    import psutil

# The age of a file says little where clocks differ or have jumped: it is listened for so long before.
LISTEN_SECONDS = 2 * BEAT_SECONDS + 1
TERM_SECONDS, KILL_SECONDS = 10.0, 10.0
_LOOK_SECONDS = 0.05


def give_order(run: RunFolder, order: Order, end: bool = False) -> bool:
    """Give a living run an order; return whether its trainer was ended instead.

    With `end` that is so if there is no sign of life for `SILENT_SECONDS`, nor while it is listened for: it gets
    SIGTERM, and if it does not stir then, SIGKILL. What its checkpoints have stays. Blocks until then.

    Raises:
        UserError: it is not being trained, takes no more orders, or cannot be ended.
    """
    if end and run.alive() and _is_silent(run.silence()):
        return _end(run)
    check_obeying(run)
    run.order(order)
    return False


def _is_silent(silence: Silence) -> bool:
    """Tell whether there is no sign of life, by looking for long enough to see one."""
    last = time.monotonic() + LISTEN_SECONDS
    while silence.seconds() >= SILENT_SECONDS:
        if time.monotonic() >= last:
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _end(run: RunFolder) -> bool:
    """End the trainer, unless it hears the gentler signal: then it stops by itself, as ordered."""
    # Here alone: importing it takes longer than an order.
    import psutil

    trainer = _trainer(run)
    try:
        trainer.send_signal(signal.SIGTERM)
        silence = run.silence()
        silence.seconds()
        last = time.monotonic() + TERM_SECONDS
        while run.alive() and time.monotonic() < last:
            if silence.seconds() < SILENT_SECONDS:
                return False
            time.sleep(_LOOK_SECONDS)
        if run.alive():
            trainer.send_signal(signal.SIGKILL)
        last = time.monotonic() + KILL_SECONDS
        while run.alive() and time.monotonic() < last:
            time.sleep(_LOOK_SECONDS)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        raise UserError(
            f"The run {run.name} gives no sign of life, and its trainer is another user's.",
            f"That user or root can end process {trainer.pid}.",
        ) from None
    if run.alive():
        raise UserError(
            f"The trainer of {run.name} cannot be ended: the kernel waits for a disk or a driver.",
            f"Process {trainer.pid} ends when that answers.",
        )
    return True


def _trainer(run: RunFolder) -> psutil.Process:
    """Return the process that has signed `run`, if it is still a trainer of that."""
    import psutil

    by = signed(run.path)
    if by is not None and by.host != host_name():
        raise UserError(
            f"The run {run.name} gives no sign of life, and is trained on {safe_text(by.host)}.",
            f"There: run_tui.py stop {run.name} --now",
        )
    try:
        trainer = psutil.Process(by.pid if by else -1)
        *_, what, _, folder = trainer.cmdline()
        # As torchrun was told, which may be from where it stood.
        place = Path(folder) if Path(folder).is_absolute() else Path(trainer.cwd(), folder)
        if what == "core.worker" and place.samefile(run.path):
            return trainer
    except (psutil.Error, ValueError, OSError):
        pass
    raise UserError(
        f"The run {run.name} gives no sign of life, and its trainer is not to be found.",
        f"Something holds {run.path}; look for a process of core.worker.",
    )
