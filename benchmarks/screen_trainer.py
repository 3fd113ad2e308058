"""Stands for a trainer: holds a run and says some steps a second, until it is killed.

python -m benchmarks.screen_trainer RUN PER_SECOND FIRST_STEP STEPS_PER_EPOCH
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.screen_lab import EPOCHS, Learner
from core.runs.folder import RunFolder


def main(path: str, per_second: str, first: str, per_epoch: str) -> None:
    """Hold the run at `path`; say steps at their time, whole epochs included."""
    run, rate, steps_per_epoch = RunFolder(Path(path)), float(per_second), int(per_epoch)
    with run.lock(), run.writer() as log:
        print("held", flush=True)
        if not rate:
            time.sleep(3600)
        learner, due = Learner(steps_per_epoch), time.monotonic()
        for step in range(int(first), EPOCHS * steps_per_epoch + 1):
            log.write(learner.step(step))
            if step % steps_per_epoch == 0:
                log.write(learner.epoch(step // steps_per_epoch))
            due += 1 / rate
            time.sleep(max(due - time.monotonic(), 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
