"""Orders to a trainer that hears none: a real process that only looks like one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from core.config import TrainConfig
from core.errors import UserError
from core.machine import host_name
from core.runs import ordering
from core.runs.folder import RunFolder
from core.runs.ordering import give_order
from core.runs.trainer import Trainer
from tests.core.conftest import ROOT, cli
from tests.core.test_snapshot import STARTED

OLD = 10**18
# Holds the run as a trainer does; SIGTERM ends it, or it is deaf, or it stirs and stops in its own time.
TRAINER = """
import os, signal, sys, time
from pathlib import Path
from core.runs.folder import RunFolder
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] == "delivers":
    signal.signal(signal.SIGTERM, lambda *_: os.utime(Path(sys.argv[-1]) / "events.jsonl"))
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
        """Have the holder be known as the trainer, and have it spoken long ago unless it is not `silent`."""
        with self.run.writer() as log:
            log.write(STARTED)
        who = Trainer(**{"pid": self.holder.pid, "host": host_name(), **told})
        (self.run.path / "trainer").write_bytes(msgspec.json.encode(who))
        if silent:
            os.utime(self.log, ns=(OLD, OLD))

    @property
    def log(self) -> Path:
        return self.run.path / "events.jsonl"


Hold = Callable[..., Held]


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ordering, "TERM_SECONDS", 1.0)
    monkeypatch.setattr(ordering, "LISTEN_SECONDS", 0.5)
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
    assert give_order(held.run, "stop-now", end=True)
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
    assert not give_order(held.run, "stop-now", end=True)
    assert held.run.orders().newest() == "stop-now"
    assert held.holder.poll() is None


def test_one_whose_clock_is_behind_is_not_taken_for_silent(hold: Hold) -> None:
    held = hold()
    held.say()
    over = threading.Event()

    def beat() -> None:
        number = OLD
        while not over.wait(0.1):
            number += 10**9
            os.utime(held.log, ns=(number, number))

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        assert not give_order(held.run, "stop-now", end=True)
    finally:
        over.set()
        beating.join()
    assert held.holder.poll() is None and held.run.orders().newest() == "stop-now"


def test_one_that_stirs_at_the_gentler_signal_is_left_to_stop_by_itself(hold: Hold) -> None:
    held = hold("delivers")
    held.say()
    assert not give_order(held.run, "stop-now", end=True)
    time.sleep(1.5)
    assert held.holder.poll() is None and held.run.alive()


def test_nobody_is_ended_for_an_order_that_does_not_say_so(hold: Hold) -> None:
    held = hold()
    held.say()
    assert not give_order(held.run, "stop-now")
    assert held.holder.poll() is None


def test_another_users_trainer_is_told(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    held = hold()
    held.say()

    def denied(self: psutil.Process, number: int) -> None:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "send_signal", denied)
    with pytest.raises(UserError, match="is another user's") as told:
        give_order(held.run, "stop-now", end=True)
    assert str(held.holder.pid) in told.value.hint


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
        ({"host": "elsewhere"}, "is trained on elsewhere"),
        ({"pid": 2**22 + 1}, "is not to be found"),
        ({"pid": os.getpid()}, "is not to be found"),
    ],
)
def test_nobody_else_is_ended(hold: Hold, told: dict[str, Any], words: str) -> None:
    held = hold()
    held.say(**told)
    with pytest.raises(UserError, match=words):
        give_order(held.run, "stop-now", end=True)
    assert held.holder.poll() is None and held.run.alive()


def test_a_trainer_of_another_run_is_not_ended(hold: Hold) -> None:
    held, other = hold(), hold()
    held.say(pid=other.holder.pid)
    with pytest.raises(UserError, match="is not to be found"):
        give_order(held.run, "stop-now", end=True)
    assert other.holder.poll() is None


def test_one_that_the_kernel_keeps_is_told(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    held = hold()
    held.say()
    monkeypatch.setattr(ordering, "KILL_SECONDS", 0.2)
    monkeypatch.setattr(RunFolder, "alive", lambda self: True)
    began = time.monotonic()
    with pytest.raises(UserError, match="the kernel waits"):
        give_order(held.run, "stop-now", end=True)
    assert time.monotonic() - began >= 1.2
