"""Signs of life: given while there is work, missing where a trainer hangs, seen by whoever watches."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from core.config import TrainConfig
from core.engine import Engine
from core.runs import heartbeat
from core.runs.folder import RunFolder
from core.runs.heartbeat import SILENT_SECONDS, Silence, beating
from tests.core.test_snapshot import STARTED

OLD = 1_000_000_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    os.utime(path, ns=(OLD, OLD))
    return path


def touched(log: Path, until: threading.Event) -> bool:
    """Tell whether `log` is touched before `until`."""
    while log.stat().st_mtime_ns == OLD:
        if until.is_set():
            return False
    return True


def test_work_is_a_sign_of_life(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    late = threading.Event()
    alarm = threading.Timer(20, late.set)
    alarm.start()
    with beating(log):
        # Looking is work.
        assert touched(log, late)
    alarm.cancel()


def test_c093_a_main_thread_that_hangs_gives_none(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = threading.Semaphore(0)

    class Clock:
        """The processor time of a thread that hangs, and a word for each look at it."""

        @staticmethod
        def clock_gettime(clock: int) -> float:
            beats.release()
            return 1.5

        @staticmethod
        def pthread_getcpuclockid(thread: int) -> int:
            return 0

    monkeypatch.setattr(heartbeat, "time", Clock)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    with beating(log):
        for _ in range(10):
            assert beats.acquire(timeout=20)
    assert log.stat().st_mtime_ns == OLD


def test_silence_is_counted_by_the_watchers_own_clock(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"wall": 100.0, "steady": 7.0}

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now["steady"]

        @staticmethod
        def time() -> float:
            return now["wall"]

    monkeypatch.setattr(heartbeat, "time", Clock)
    silence = Silence(log)
    # At the first look by the age of the log: it was last touched at the second 1.
    assert silence.seconds() == pytest.approx(99)
    os.utime(log, ns=(2 * OLD, 2 * OLD))
    assert silence.seconds() == 0
    now["steady"] += 75
    # A clock that is set says nothing.
    now["wall"] += 1e8
    assert silence.seconds() == pytest.approx(75) and SILENT_SECONDS < 75
    os.utime(log, ns=(OLD, OLD))
    assert silence.seconds() == 0


def test_a_log_that_is_not_there_yet_is_not_silent(tmp_path: Path) -> None:
    assert Silence(tmp_path / "none").seconds() < SILENT_SECONDS


async def test_c093_the_engine_tells_how_long_a_living_run_is_silent(tmp_path: Path) -> None:
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    with run.lock(), run.writer() as writer:
        writer.write(STARTED)
        os.utime(run.path / "events.jsonl", ns=(OLD, OLD))
        async for update in Engine().follow(run):
            assert update.alive and update.silent > SILENT_SECONDS
            break
    async for update in Engine().follow(run):
        assert not update.alive and update.silent == 0
        break
