"""Which runs can be gone on with, and which take orders."""

from __future__ import annotations

import os
from contextlib import suppress

import msgspec

from core.errors import UserError
from core.runs.folder import RunFolder
from core.runs.snapshot import LIVING, OBEYING, State
from core.text import safe_text

# A finished run has nothing left to do; one that was never begun, or never saved, begins anew.
RESUMABLE: frozenset[State] = frozenset({"prepared", "stopped", "failed", "interrupted"})


def check_resumable(run: RunFolder) -> None:
    """Tell by what is quickly seen whether `run` can be resumed; its trainer looks at the pictures.

    Raises:
        UserError: it is being trained, has nothing left to do or to go on from, or its data is gone.
    """
    config = run.config()
    state = run.summary().state
    if run.alive():
        raise UserError(
            f"The run {run.name} is being trained already.",
            f"Watch it: run_tui.py watch {run.name}",
        )
    if unknown := run.unknown_settings():
        raise UserError(
            f"The run {run.name} was begun by a newer version of this program, with {', '.join(unknown)}.",
            "Resume it with that version.",
        )
    data = safe_text(config.data)
    more = f"Train on from its model: run_tui.py train {data} --weights {safe_text(run.model)}"
    if state not in RESUMABLE:
        raise UserError(f"The run {run.name} is finished: nothing is left to be done.", more)
    if state == "stopped" and not run.checkpoints().exist():
        raise UserError(f"The run {run.name} has kept nothing to go on from.", more)
    if not os.path.isdir(config.data):  # noqa: PTH112  # unlike Path.is_dir it takes any text
        raise UserError(
            f"The pictures of the run {run.name} are gone: there is no folder at {data}.",
            "Put them back where they were; without them the run cannot go on.",
        )


def check_obeying(run: RunFolder) -> None:
    """Tell by what is quickly seen whether `run` looks for orders.

    Raises:
        UserError: it is not being trained, or has trained and only comes to its end.
    """
    if not run.alive():
        raise UserError(f"The run {run.name} is not being trained.", _next_step(run))
    state = None
    # A run whose settings were damaged meanwhile is ordered about all the same.
    with suppress(OSError, msgspec.MsgspecError):
        state = run.summary().state
    # The log of one that is being resumed still tells how it ended, and its new trainer obeys.
    if state in LIVING - OBEYING:
        doing = (
            "is being stopped already" if state == "stopping" else "has trained and is evaluated"
        )
        raise UserError(
            f"The run {run.name} {doing}: it takes no orders until it has ended.",
            f"Watch it to its end: run_tui.py watch {run.name}",
        )


def _next_step(run: RunFolder) -> str:
    """Return what can be done with a run that is not being trained."""
    try:
        check_resumable(run)
    except UserError:
        return f"See how it ended: run_tui.py watch {run.name}"
    return f"Go on with it: run_tui.py resume {run.name}"
