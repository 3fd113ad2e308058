"""Orders to a trainer that hears none: a real process that only looks like one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.config import TrainConfig
from core.errors import UserError
from core.machine import host_name
from core.runs import ordering
from core.runs.folder import RunFolder
from core.runs.ordering import give_order
from tests.core.conftest import ROOT, cli
from tests.core.test_snapshot import STARTED

OLD = 10**18
# Holds the run as a trainer does; to SIGTERM it is deaf, or not.
TRAINER = """
import signal, sys, time
from pathlib import Path
from core.runs.folder import RunFolder
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with RunFolder(Path(sys.argv[-1])).lock():
    print("holds it", flush=True)
    time.sleep(100)
"""


@dataclass
class Held:
    """A run, and the process that holds it."""

    run: RunFolder
    holder: subprocess.Popen[str]

    def say(self, silent: bool = True, **told: Any) -> None:
        """Have the holder tell of itself, long ago unless it is not to be silent."""
        with self.run.writer() as log:
            words = {"pid": self.holder.pid, "hostname": host_name(), **told}
            log.write(replace(STARTED, **words))
        if silent:
            os.utime(self.run.path / "events.jsonl", ns=(OLD, OLD))


Hold = Callable[..., Held]


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ordering, "TERM_SECONDS", 1.0)
    holders = []

    def held(hears: str = "deaf", *named: str) -> Held:
        run = RunFolder.create(TrainConfig(data=str(tmp_path)))
        line = [sys.executable, "-c", TRAINER, hears, *(named or ("core.worker", "train"))]
        holder = subprocess.Popen(
            [*line, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        holders.append(holder)
        assert holder.stdout is not None and holder.stdout.readline() == "holds it\n"
        return Held(run, holder)

    yield held
    for holder in holders:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize(("hears", "number"), [("hears", signal.SIGTERM), ("deaf", signal.SIGKILL)])
def test_c094_one_that_is_silent_is_ended_by_what_it_hears(
    hold: Hold, hears: str, number: int
) -> None:
    held = hold(hears)
    held.say()
    assert give_order(held.run, "stop-now")
    assert held.holder.wait(5) == -number
    assert not held.run.alive() and held.run.summary().state == "interrupted"


def test_c093_a_stopped_process_is_ended_only_when_that_is_ordered(hold: Hold) -> None:
    held = hold("hears")
    held.say()
    held.holder.send_signal(signal.SIGSTOP)
    assert not give_order(held.run, "stop")
    assert held.run.alive()
    done = cli("stop", held.run.name, "--now", "--json")
    assert done.code == 0, done.err
    assert done.objects == [{"run": str(held.run.path), "order": "stop-now", "ended": True}]
    assert held.holder.wait(5) == -signal.SIGKILL


def test_one_that_lives_is_ordered_and_no_more(hold: Hold) -> None:
    held = hold()
    held.say(silent=False)
    assert not give_order(held.run, "stop-now")
    assert held.run.orders().newest() == "stop-now"
    assert held.holder.poll() is None


def test_c070_an_order_that_cannot_be_written_is_no_crash(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    held = hold()
    held.say(silent=False)
    monkeypatch.setattr("core.runs.folder.write_atomically", full)
    with pytest.raises(UserError, match="cannot be written down"):
        give_order(held.run, "pause")


def test_whoever_orders_a_silent_one_is_told_what_helps(hold: Hold) -> None:
    held = hold()
    held.say()
    done = cli("stop", held.run.name)
    assert done.code == 0 and "stop was ordered" in done.out
    assert "no sign of life for" in done.err and f"stop {held.run.name} --now" in done.err


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"hostname": "elsewhere"}, "is trained on elsewhere"),
        ({"pid": 2**22 + 1}, "is not to be found"),
        ({"pid": os.getpid()}, "is not to be found"),
    ],
)
def test_nobody_else_is_ended(hold: Hold, told: dict[str, Any], words: str) -> None:
    held = hold()
    held.say(**told)
    with pytest.raises(UserError, match=words):
        give_order(held.run, "stop-now")
    assert held.holder.poll() is None and held.run.alive()


def test_a_trainer_of_another_run_is_not_ended(hold: Hold) -> None:
    held, other = hold(), hold()
    held.say(pid=other.holder.pid)
    with pytest.raises(UserError, match="is not to be found"):
        give_order(held.run, "stop-now")
    assert other.holder.poll() is None


def test_one_that_the_kernel_keeps_is_told(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    held = hold()
    held.say()
    monkeypatch.setattr(ordering, "KILL_SECONDS", 0.2)
    monkeypatch.setattr(RunFolder, "alive", lambda self: True)
    began = time.monotonic()
    with pytest.raises(UserError, match="the kernel waits"):
        give_order(held.run, "stop-now")
    assert time.monotonic() - began >= 1.2
