"""Reading data is safe under kill -9, under two at once, on a full disk, and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.dataset import cache
from core.engine import Engine, Report
from tests.core.conftest import ROOT, write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("faults") / "data", per_class=150)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield cache.cache_root()


def started(data: Path, **options: Any) -> subprocess.Popen[bytes]:
    words = ["doctor", str(data), '{"data": "", "image_size": 64}']
    command = [sys.executable, "-m", "core.worker", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **options)


def said(doctor: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    assert doctor.stdout is not None
    with doctor:
        return [json.loads(line) for line in doctor.stdout]


def test_c066_kill_9_at_any_moment_costs_only_the_reading(data: Path, own_cache: Path) -> None:
    for lines in (1, 2, 5, 8):
        doctor = started(data)
        assert doctor.stdout is not None
        for _ in range(lines):
            doctor.stdout.readline()
        children = psutil.Process(doctor.pid).children()
        doctor.kill()
        said(doctor)
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    result = said(started(data))[-1]["result"]
    assert result["images"] == 300 and result["left_out"] == []
    assert {path.suffix for path in own_cache.iterdir()} == {".index", ".pixels"}


def test_two_at_once_read_the_same(data: Path, own_cache: Path) -> None:
    doctors = [started(data) for _ in range(3)]
    results = [said(doctor)[-1]["result"] for doctor in doctors]
    assert results[0] == results[1] == results[2] and results[0]["trainable"]
    assert len(list(own_cache.glob("*.pixels"))) == 1


def test_c070_a_disk_without_room_is_told_and_nothing_half_is_left(
    data: Path, own_cache: Path
) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    doctor = started(data, preexec_fn=no_room)
    error = said(doctor)[-1]
    assert doctor.returncode == 2
    assert "cannot be kept" in error["title"] and "Make room" in error["hint"]
    assert list(own_cache.iterdir()) == []
    assert said(started(data))[-1]["result"]["images"] == 300


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_may_not_be_written_is_told(data: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    error = said(started(data))[-1]
    tmp_path.chmod(0o700)
    assert "cannot be kept" in error["title"]


async def test_a_doctor_whom_nobody_listens_to_any_more_is_gone(data: Path) -> None:
    async def listen() -> None:
        async for word in Engine().doctor(data):
            heard.set()
            assert not isinstance(word, Report)

    heard = asyncio.Event()
    task = asyncio.create_task(listen())
    await heard.wait()
    children = psutil.Process().children()
    (doctor,) = (child for child in children if "doctor" in child.cmdline())
    mine = [doctor, *doctor.children(recursive=True)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(mine, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_doctor_told_to_end_takes_its_decoders_along(data: Path) -> None:
    doctor = started(data)
    assert doctor.stdout is not None
    doctor.stdout.readline()
    children = psutil.Process(doctor.pid).children()
    doctor.send_signal(signal.SIGTERM)
    said(doctor)
    assert doctor.returncode == 143
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
