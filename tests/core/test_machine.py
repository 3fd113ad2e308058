"""What the meters are fed with: the load of this machine, and of one process on it."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from typing import Any

import msgspec
import pytest

from core import machine
from core.engine import Engine
from core.machine import LoadMeter, host_name
from tests.core.test_snapshot import STARTED


def test_the_load_of_this_process_on_this_machine() -> None:
    load = LoadMeter(os.getpid()).read()
    assert 0 <= load.cpu <= 1
    assert 0 < load.memory_used < load.memory_total
    assert load.worker_memory is not None and 2**20 < load.worker_memory < load.memory_total
    assert load.worker_cores is not None and load.worker_cores >= 0


def test_a_process_that_is_gone_has_no_load() -> None:
    load = LoadMeter(2**22 + 1).read()
    assert load.worker_memory is None and load.worker_cores is None and load.memory_total


def test_the_processor_is_busy_by_what_all_its_times_grew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = LoadMeter()
    times = meter._times
    later = times._replace(user=times.user + 60, idle=times.idle + 30, iowait=times.iowait + 10)
    monkeypatch.setattr(meter._psutil, "cpu_times", lambda: later)
    assert meter._cpu() == pytest.approx(0.6)
    # Nothing has passed.
    assert meter._cpu() == 0.0


async def test_a_run_on_another_machine_has_no_meters_here() -> None:
    far = msgspec.structs.replace(STARTED, hostname="another-machine")
    assert [load async for load in Engine().loads(far, 0)] == []
    near = msgspec.structs.replace(STARTED, hostname=host_name(), pid=os.getpid())
    loads = Engine().loads(near, 0)
    assert (await asyncio.wait_for(anext(loads), 30)).worker_memory is not None


class FakeNvml(types.ModuleType):
    """A driver with one card that refuses to tell its power."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetPowerUsage(self, handle: object) -> int:
        raise self.NVMLError

    def __getattr__(self, name: str) -> Any:
        answers = {
            "nvmlDeviceGetHandleByIndex": 0,
            "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetUtilizationRates": types.SimpleNamespace(gpu=97),
            "nvmlDeviceGetMemoryInfo": types.SimpleNamespace(used=8 * 2**30, total=80 * 2**30),
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetComputeRunningProcesses": [types.SimpleNamespace(pid=4711)],
        }
        if name not in answers:
            raise AttributeError(name)
        return lambda *_: answers[name]


def test_a_card_tells_what_it_is_willing_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DRIVER_SIGNS", ("/dev/null",))
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml("pynvml"))
    machine._nvml.cache_clear()
    try:
        (gpu,) = machine.gpus()
    finally:
        machine._nvml.cache_clear()
    assert (gpu.busy, gpu.celsius, gpu.watts) == (0.97, 61, None)
    assert gpu.processes == frozenset({4711})
