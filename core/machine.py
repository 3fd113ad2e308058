"""What this machine has to train on, told without torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.processes import cpu_count
from core.text import count

# One of these is there with a driver: on Linux and in containers, under WSL.
DRIVER_SIGNS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg")


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU, or the processor; `busy` is a share of 1, memory is in bytes, None if refused."""

    name: str
    is_gpu: bool
    busy: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None


def devices() -> list[Device]:
    """Return the NVIDIA GPUs, or the processor where there is none; blocks for milliseconds."""
    return gpus() or [Device(name=processor_name(), is_gpu=False)]


def gpus() -> list[Device]:
    """Return the NVIDIA GPUs that the driver shows, none where there is no driver."""
    nvml = _nvml()
    if nvml is None:
        return []
    with suppress(nvml.NVMLError):
        return list(_gpus(nvml))
    return []


def processor_name() -> str:
    return f"CPU, {count(cpu_count(), 'core')}"


@cache
def _nvml() -> Any:
    """Return the library that speaks with NVIDIA's driver, started; None without a driver."""
    if not any(Path(sign).exists() for sign in DRIVER_SIGNS):
        # Importing the library takes a tenth of a second of the interpreter's time.
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _gpus(nvml: Any) -> Iterator[Device]:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = nvml.nvmlDeviceGetName(handle)
        busy = used = total = None
        # Some cards and container runtimes refuse one of these; the other is still worth showing.
        with suppress(nvml.NVMLError):
            busy = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        with suppress(nvml.NVMLError):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            used, total = int(memory.used), int(memory.total)
        yield Device(
            name=name.decode(errors="replace") if isinstance(name, bytes) else str(name),
            is_gpu=True,
            busy=busy,
            memory_used=used,
            memory_total=total,
        )
