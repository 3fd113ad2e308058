"""What the meters are fed with: the load of this machine, and of one process on it."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core import machine
from core.cli import main
from core.engine import Engine
from core.machine import LoadMeter, host_name
from tests.core.test_snapshot import STARTED


def test_the_load_of_this_process_on_this_machine() -> None:
    load = LoadMeter(os.getpid()).read()
    assert 0 <= load.cpu <= 1
    assert 0 < load.memory_used < load.memory_total
    assert load.worker_memory is not None and 2**20 < load.worker_memory < load.memory_total
    assert load.worker_cores is not None and load.worker_cores >= 0


def _group(root: Path, place: str, files: dict[str, str]) -> None:
    folder = root / "sys/fs/cgroup" / place
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_memory_is_limited_by_each_level_of_a_clusters_job(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/slurm/job/step\n")
    # Files' pages that nobody uses are as good as free.
    stat = "anon 100\ninactive_file 250\n"
    job = {"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": stat}
    _group(tmp_path, "slurm/job", job)
    _group(tmp_path, "slurm/job/step", job | {"memory.max": "max\n"})
    _group(tmp_path, "slurm", job | {"memory.max": "400\n"})
    assert sorted(machine._left_by_cgroups(tmp_path)) == [0, 550]


def test_memory_is_limited_by_groups_of_the_first_version_too(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    # In a container the path is the host's, which is not to be found in there.
    lines = "5:cpu,cpuacct:/docker/1f\n4:memory:/docker/1f\n1:name=systemd:/docker/1f\n"
    (tmp_path / "proc/self/cgroup").write_text(lines)
    limits = {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "300"}
    _group(tmp_path, "memory", limits | {"memory.stat": "total_inactive_file 50\ncache 90\n"})
    assert list(machine._left_by_cgroups(tmp_path)) == [750]
    assert list(machine._left_by_cgroups(tmp_path / "elsewhere")) == []
    assert machine.free_memory() > 0


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

    class NVMLError_LibraryNotFound(NVMLError):
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


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNvml]:
    """A driver that is there, and works until it is told otherwise."""
    fake = FakeNvml("pynvml")
    monkeypatch.setattr(machine, "DRIVER_SIGNS", ("/dev/null",))
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    machine._nvml.cache_clear()
    yield fake
    machine._nvml.cache_clear()


def failing(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail


def test_a_card_tells_what_it_is_willing_to(driver: FakeNvml) -> None:
    (gpu,) = machine.gpus()
    assert (gpu.busy, gpu.celsius, gpu.watts) == (0.97, 61, None)
    assert gpu.processes == frozenset({4711})
    assert machine.gpu_trouble() == ""


def test_a_driver_that_failed_is_asked_again(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(driver, "nvmlInit", failing(driver.NVMLError("version mismatch")))
        assert machine.gpus() == [] and machine.gpu_trouble() == "version mismatch"
    assert len(machine.gpus()) == 1
    # It was loaded anew, and has to be spoken to anew.
    with monkeypatch.context() as patch:
        patch.setattr(driver, "nvmlDeviceGetCount", failing(driver.NVMLError("uninitialized")))
        assert machine.gpus() == [] and machine.gpu_trouble() == "uninitialized"
    assert len(machine.gpus()) == 1
    monkeypatch.setattr(driver, "nvmlDeviceGetCount", lambda: 0)
    assert machine.gpus() == [] and machine.gpu_trouble()


def test_without_a_driver_nothing_is_wrong(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = driver.NVMLError_LibraryNotFound("not found")
    monkeypatch.setattr(driver, "nvmlInit", failing(missing))
    assert machine.gpu_trouble() == "not found"
    # Under WSL any GPU leaves this sign.
    monkeypatch.setattr(machine, "WSL_SIGN", "/dev/null")
    assert machine.gpu_trouble() == ""
    monkeypatch.setattr(machine, "DRIVER_SIGNS", ("/none",))
    assert machine.gpu_trouble() == "" and machine.gpus() == []


def test_a_torch_for_cpus_leaves_a_gpu_unused(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.14.1+cpu")
    assert "CPUs only" in machine.gpu_trouble()


@pytest.mark.parametrize(("device", "warned"), [("auto", True), ("cpu", False)])
def test_who_trains_on_the_cpu_beside_a_gpu_is_told_so(
    driver: FakeNvml,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    device: str,
    warned: bool,
) -> None:
    started = []

    async def start(trainers: object, run: object) -> None:
        # Whoever reads it can still end the command.
        started.append(capsys.readouterr().err)

    monkeypatch.setattr("core.trainers.Trainers.start", start)
    monkeypatch.setattr(driver, "nvmlInit", failing(driver.NVMLError("version mismatch")))
    assert main(["train", str(dataset), "--detach", "--device", device]) == 0
    (said,) = started
    assert said.count("\n") == warned and capsys.readouterr().err == ""
    if warned:
        assert said.startswith("warning: ") and "(version mismatch)" in said
        assert "nvidia-smi" in said and "--device cpu" in said
