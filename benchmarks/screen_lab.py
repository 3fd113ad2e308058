"""What the rows of `benchmarks.screen` are made with: runs that nobody trained, the app on a terminal, figures."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter

import psutil

from core.config import TrainConfig
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.terminal.harness import ROOT, Terminal, python

ENTER, ESCAPE, DOWN, UP, TAB = "\r", "\x1b", "\x1b[B", "\x1b[A", "\t"
STEPS_PER_EPOCH = 1000
EPOCHS = 100
MB = 1e6


@dataclass(frozen=True)
class Figure:
    """One measured number and the most that it may be; without a bound it is there to be read."""

    row: str
    what: str
    value: float
    unit: str
    bound: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        return self.bound is None or self.value <= self.bound


@dataclass(frozen=True)
class Lab:
    """Where a row may write, how often it repeats itself, and what it may train on."""

    folder: Path
    rounds: int
    data: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"


@contextmanager
def lab(rounds: int, data: Path | None) -> Iterator[Lab]:
    """Yield a laboratory in an empty home; nothing of the user's is read or written."""
    with tempfile.TemporaryDirectory(prefix="screen-") as folder:
        home = Path(folder)
        places = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        environment = dict.fromkeys(places, folder) | {"ALEXNET_TUI_RUNS": str(home / "runs")}
        before = os.environ.get("ALEXNET_TUI_RUNS")
        os.environ["ALEXNET_TUI_RUNS"] = environment["ALEXNET_TUI_RUNS"]
        try:
            yield Lab(home, rounds, data, environment)
        finally:
            del os.environ["ALEXNET_TUI_RUNS"]
            if before is not None:
                os.environ["ALEXNET_TUI_RUNS"] = before


def app(
    lab: Lab,
    *words: str,
    columns: int = 120,
    rows: int = 40,
    module: str = "",
    environment: Mapping[str, str] | None = None,
) -> Terminal:
    """Start the program on a terminal of its own, or the `module` that stands for it."""
    command = python("-m", module, *words) if module else python("run_tui.py", *words)
    return Terminal(
        command,
        columns=columns,
        rows=rows,
        environment={**lab.environment, **(environment or {})},
    )


def settle(terminal: Terminal, seconds: float = 1.0, timeout: float = 30) -> float:
    """Read until nothing has come for `seconds`; return when the last bytes came (`perf_counter`)."""
    end = monotonic() + timeout
    while terminal.read(seconds) and monotonic() < end:
        pass
    return terminal.heard_at


def listen(terminal: Terminal, seconds: float) -> int:
    """Read for `seconds`; return how many bytes came."""
    before, end = len(terminal.raw), perf_counter() + seconds
    while (left := end - perf_counter()) > 0:
        terminal.read(left)
    return len(terminal.raw) - before


def processes(terminal: Terminal) -> list[psutil.Process]:
    """Return the processes that are the screen: the one that was started, and its copies."""
    started = psutil.Process(terminal.process.pid)
    return [started, *(p for p in started.children() if p.cmdline() == started.cmdline())]


def app_process(terminal: Terminal) -> psutil.Process:
    """Return the process that draws."""
    return processes(terminal)[-1]


def resident(terminal: Terminal) -> float:
    """Return the megabytes that the screen's processes hold in memory, shared pages counted once."""
    return sum(process.memory_full_info().pss for process in processes(terminal)) / MB


def highest_resident(terminal: Terminal) -> float:
    """Return the most megabytes that the process that draws has ever held in memory."""
    status = Path(f"/proc/{app_process(terminal).pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / MB


def beginning(data: str, epochs: int, steps_per_epoch: int = STEPS_PER_EPOCH) -> list[ev.AnyEvent]:
    """Return what a run says before its first step."""
    now = time.time()
    return [
        ev.RunStarted(
            time=now,
            run="made",
            data=data,
            epochs=epochs,
            device="cuda:0",
            device_name="NVIDIA H100 80GB",
            precision="bf16",
            pid=os.getpid(),
        ),
        ev.DatasetReady(
            time=now,
            classes=["happy", "sad"],
            train=[3600, 3478],
            validation=[400, 386],
            test=[1000, 966],
            left_out=0,
            duplicates=3,
            channels=1,
            stored_size=48,
            split_hash="00",
        ),
        ev.TrainingStarted(
            time=now,
            image_size=64,
            batch_size=128,
            steps_per_epoch=steps_per_epoch,
            learning_rate=0.01,
            parameters=57_000_000,
            tier="device",
        ),
    ]


class Learner:
    """Says what a run that learns would say, step by step, out of nothing but a formula."""

    def __init__(self, steps_per_epoch: int = STEPS_PER_EPOCH) -> None:
        self._steps, self._per_epoch = EPOCHS * steps_per_epoch, steps_per_epoch
        self._chance = random.Random(0)

    def step(self, step: int, seconds_ago: float = 0.0, loss: float | None = None) -> ev.Step:
        """Return step number `step`; its images a second name it on the screen."""
        learned = math.exp(-4 * step / self._steps)
        noise = self._chance.gauss(0, 0.03)
        return ev.Step(
            time=round(time.time() - seconds_ago, 3),
            epoch=(step - 1) // self._per_epoch + 1,
            step=step,
            loss=max(0.7 * learned + 0.1 + noise, 0.01) if loss is None else loss,
            accuracy=min(max(0.95 - 0.45 * learned + noise, 0.0), 1.0),
            learning_rate=0.01 * (1 - step / self._steps / 2),
            images_per_second=shown(step),
        )

    def epoch(self, epoch: int, seconds_ago: float = 0.0) -> ev.EpochEnded:
        """Return the end of the epoch numbered `epoch`."""
        learned = math.exp(-4 * epoch * self._per_epoch / self._steps)
        accuracy = 0.93 - 0.4 * learned
        return ev.EpochEnded(
            time=round(time.time() - seconds_ago, 3),
            epoch=epoch,
            step=epoch * self._per_epoch,
            loss=0.7 * learned + 0.1,
            accuracy=accuracy,
            validation_loss=0.7 * learned + 0.15,
            validation_accuracy=accuracy,
            images_per_second=11_820,
            seconds=self._per_epoch / 10,
            best=True,
            best_accuracy=accuracy,
            probes=[
                ev.Probe("h.png", "happy", "happy", 0.97),
                ev.Probe("s.png", "sad", "sad", 0.88),
            ],
        )


def shown(step: int) -> int:
    """Return the images a second that stand for `step` on the screen."""
    return 10_000 + step


def recorded(
    lab: Lab, steps: int, steps_per_epoch: int = STEPS_PER_EPOCH, spike: int | None = None
) -> RunFolder:
    """Write the log of a run with that many recorded steps, one of them with a `spike` in its loss."""
    data = str(lab.folder / "data" / "faces-10k")
    run = RunFolder.create(TrainConfig(data=data, epochs=EPOCHS))
    learner = Learner(steps_per_epoch)
    with run.writer() as log:
        for event in beginning(data, EPOCHS, steps_per_epoch):
            log.write(event)
        for step in range(1, steps + 1):
            ago = (steps - step) / 10
            log.write(learner.step(step, ago, loss=9.0 if step == spike else None))
            if step % steps_per_epoch == 0:
                log.write(learner.epoch(step // steps_per_epoch, ago))
    return run


@contextmanager
def living(
    run: RunFolder, per_second: float = 0, first: int = 1, steps_per_epoch: int = 100
) -> Iterator[None]:
    """Have a process hold `run` as its trainer would, and say so many steps a second."""
    words = (str(run.path), str(per_second), str(first), str(steps_per_epoch))
    holder = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.screen_trainer", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert holder.stdout is not None
    try:
        if not holder.stdout.readline():
            raise SystemExit("the run could not be held")
        yield
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def press(terminal: Terminal, key: str) -> float:
    """Press `key`; return when (`perf_counter`)."""
    now = perf_counter()
    terminal.send_unread(key)
    return now


def watch(terminal: Terminal) -> None:
    """Go from the first screen to the dashboard of the run that lives."""
    terminal.wait_for("running now", timeout=60)
    settle(terminal, 0.3)
    terminal.send(ENTER)
