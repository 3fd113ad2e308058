"""All that there is to report of a run: what it came to, its mistakes, and what was trained."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.config import TrainConfig
from core.evaluation.metrics import majority
from core.evaluation.mistakes import Confused, Mistakes, confused, mistakes
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.snapshot import Snapshot

MOST_PAIRS = 1000
# A model file that is younger than its run by more than this was written by another one.
SAME_FILE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to.

    `baseline` is the test class with the most pictures and how often answering nothing else is right;
    `pairs` are the classes confused most. Both are empty without a test, as `mistakes` is where no answers
    were kept; `model` is None where the run has left none, `config` where it cannot be read.
    """

    name: str
    now: Snapshot
    config: TrainConfig | None
    model: Path | None
    baseline: tuple[str, float] | None
    pairs: tuple[Confused, ...]
    mistakes: Mistakes | None


def outcome(run: RunFolder) -> Outcome:
    """Read what `run` has left; quick for any number of steps, pictures and classes."""
    now = run.results()
    config = None
    with suppress(OSError, msgspec.MsgspecError):
        config = run.created().config
    told = None
    with suppress(OSError):
        told = mistakes(run.test_answers())
    tested = now.evaluated
    baseline = None
    if tested is not None:
        most, share = majority(tested.confusion)
        baseline = (tested.classes[most], share)
    return Outcome(
        name=run.name,
        now=now,
        config=config,
        model=model_left(run, now.ended),
        baseline=baseline,
        pairs=confused(tested.confusion, MOST_PAIRS) if tested is not None else (),
        mistakes=told if tested is not None else None,
    )


def model_left(run: RunFolder, ended: ev.RunEnded | None) -> Path | None:
    """Return the model that `run` has written, or its own copy where another took its place or it is gone.

    Where both are gone the place comes back in which it was, so that whoever opens it is told; None where
    there was never one, or nothing but another run's.
    """
    own = run.model if run.model.exists() else None
    if ended is None:
        return own
    written = Path(ended.model)
    try:
        replaced = written.stat().st_mtime > ended.time + SAME_FILE_SECONDS
    except (OSError, ValueError):
        return own or written
    return own if replaced else written
