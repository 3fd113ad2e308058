"""What this machine has to train on, told without torch."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.processes import cpu_count
from core.text import count

WSL_SIGN = "/dev/dxg"
# One of these is there with a driver: on Linux and in containers, under WSL.
DRIVER_SIGNS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", WSL_SIGN)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU, or the processor; `busy` is a share of 1, memory is in bytes, None if refused.

    `processes` are the ids of those that compute on it, as the driver sees them.
    """

    name: str
    is_gpu: bool
    busy: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    watts: float | None = None
    celsius: int | None = None
    processes: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Load:
    """How busy a machine is: shares of 1 over all cores, memory in bytes.

    `worker_cores` is how many cores one process keeps busy, `worker_memory` what it holds resident;
    both None without one.
    """

    gpus: Sequence[Device]
    cpu: float
    memory_used: int
    memory_total: int
    worker_cores: float | None = None
    worker_memory: int | None = None


class LoadMeter:
    """Measures the load of this machine, and of one process on it; each call blocks for milliseconds.

    Shares of time are those since the call before.
    """

    def __init__(self, pid: int | None = None) -> None:
        import psutil

        self._psutil = psutil
        self._process: Any = None
        with suppress(psutil.Error):
            self._process = psutil.Process(pid) if pid is not None else None
            self._cores()
        self._times = psutil.cpu_times()

    def read(self) -> Load:
        """Return the load now."""
        memory = self._psutil.virtual_memory()
        cores = resident = None
        with suppress(self._psutil.Error):
            cores, resident = self._cores(), self._resident()
        return Load(
            gpus=gpus(),
            cpu=self._cpu(),
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
            worker_cores=cores,
            worker_memory=resident,
        )

    def _cpu(self) -> float:
        """Return the busy share of all cores; psutil's own keeps it per thread, and these come and go."""
        before, self._times = self._times, self._psutil.cpu_times()
        spent = [now - then for then, now in zip(before, self._times, strict=True)]
        fields = dict(zip(self._times._fields, spent, strict=True))
        # A guest's time is counted as user time already.
        whole = sum(fields.values()) - fields.get("guest", 0) - fields.get("guest_nice", 0)
        idle = fields["idle"] + fields.get("iowait", 0)
        return min(max(1 - idle / whole, 0.0), 1.0) if whole > 0 else 0.0

    def _cores(self) -> float | None:
        return self._process.cpu_percent() / 100 if self._process is not None else None

    def _resident(self) -> int | None:
        return int(self._process.memory_info().rss) if self._process is not None else None


def host_name() -> str:
    """Return the name by which this machine is told from others."""
    return platform.node()


def devices() -> list[Device]:
    """Return the NVIDIA GPUs, or the processor where there is none; blocks for milliseconds."""
    return gpus() or [Device(name=processor_name(), is_gpu=False)]


def gpus() -> list[Device]:
    """Return the NVIDIA GPUs that the driver shows, none where there is no driver."""
    try:
        return _shown()
    except _NoGpuError:
        return []


def gpu_trouble() -> str:
    """Return why GPUs that seem to be there cannot be used, as far as it shows without torch, else nothing."""
    try:
        _shown()
    except _NoGpuError as error:
        return str(error)
    return "this PyTorch is built for CPUs only" if _is_for_cpu() else ""


def check_gpus(device: str, wanted: int) -> None:
    """Raise what stands against training on `wanted` GPUs, as the driver sees it, where `device` means GPUs.

    Raises:
        UserError: there is none, or there are fewer.
    """
    if device == "cpu" or (device == "auto" and wanted == 1):
        return
    there = len(gpus())
    if not there:
        raise UserError(
            "No usable GPU was found on this machine.",
            "Leave --device and --gpus out to train on the CPU, or look at nvidia-smi.",
        )
    if wanted > there:
        raise UserError(
            f"This machine has {count(there, 'usable GPU')}, not {wanted}.",
            "Lower --gpus, or look at nvidia-smi; for several machines see docs/clusters.md.",
        )


def free_memory() -> int:
    """Return the bytes that this process and its children may still take of the machine's memory."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_by_cgroups()])


def _left_by_cgroups(root: Path = Path("/")) -> Iterator[int]:
    """Yield what each limit of a container or a cluster's job leaves, files' pages that can be let go of with it.

    Of both versions, as the kernel's documents cgroup-v2 and cgroup-v1/memory have them.
    """
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if not controllers:
                top, names = "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                top = "sys/fs/cgroup/memory"
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            else:
                continue
            # Limits of all levels count; what lies above a container's own it cannot see.
            levels = Path(place.lstrip("/"))
            for level in (levels, *levels.parents):
                # No limit is the word max, or a level that is not there.
                with suppress(OSError, ValueError):
                    yield _left(root / top / level, *names)


def _left(group: Path, limit: str, used: str, files: str) -> int:
    most, held = (int((group / name).read_text()) for name in (limit, used))
    lines = (line.split() for line in (group / "memory.stat").read_text().splitlines())
    reclaimed = sum(int(value) for name, value in lines if name == files)
    return max(most - held + reclaimed, 0)


def processor_name() -> str:
    return f"CPU, {count(cpu_count(), 'core')}"


class _NoGpuError(Exception):
    """The driver shows no GPU; the text says why, and is empty where nothing tells of a driver."""


def _shown() -> list[Device]:
    """Return the GPUs that the driver shows, at least one.

    Raises:
        _NoGpuError: there is none, or no driver, or it does not work.
    """
    nvml = _nvml()
    try:
        found = list(_gpus(nvml))
    except nvml.NVMLError as error:
        # A driver that was loaded anew has to be spoken to anew.
        _nvml.cache_clear()
        raise _NoGpuError(str(error)) from error
    if not found:
        raise _NoGpuError("its driver lists none")
    return found


@cache
def _nvml() -> Any:
    """Return the library that speaks with NVIDIA's driver, started; failures are not kept.

    Raises:
        _NoGpuError: there is no driver, or it does not work.
    """
    signs = [sign for sign in DRIVER_SIGNS if Path(sign).exists()]
    if not signs:
        # Importing the library takes a tenth of a second of the interpreter's time.
        raise _NoGpuError
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound as error:
        # Under WSL the GPU of any maker leaves that sign, but only NVIDIA's brings its library.
        raise _NoGpuError("" if signs == [WSL_SIGN] else str(error)) from error
    except pynvml.NVMLError as error:
        raise _NoGpuError(str(error)) from error
    return pynvml


def _is_for_cpu() -> bool:
    """Tell by its version whether the installed torch can use no GPU."""
    from importlib.metadata import PackageNotFoundError, version

    with suppress(PackageNotFoundError):
        return version("torch").endswith("+cpu")
    return False


def _gpus(nvml: Any) -> Iterator[Device]:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = nvml.nvmlDeviceGetName(handle)
        busy = used = total = watts = celsius = None
        processes: frozenset[int] = frozenset()
        # Some cards and container runtimes refuse one of these; the other is still worth showing.
        with suppress(nvml.NVMLError):
            busy = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        with suppress(nvml.NVMLError):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            used, total = int(memory.used), int(memory.total)
        with suppress(nvml.NVMLError):
            watts = nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        with suppress(nvml.NVMLError):
            celsius = int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        with suppress(nvml.NVMLError):
            running = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
            processes = frozenset(int(process.pid) for process in running)
        yield Device(
            name=name.decode(errors="replace") if isinstance(name, bytes) else str(name),
            is_gpu=True,
            busy=busy,
            memory_used=used,
            memory_total=total,
            watts=watts,
            celsius=celsius,
            processes=processes,
        )
