"""What this machine has to train on, told without torch."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from core.processes import cpu_count


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU, or the processor: `busy` is a share of 1, memory is in bytes."""

    name: str
    kind: str
    busy: float
    memory_used: int
    memory_total: int


def gpus() -> list[Device]:
    """Return the NVIDIA GPUs that the driver shows, none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def processor() -> Device:
    """Return the processor with the share of it that was busy since the last call."""
    memory = psutil.virtual_memory()
    cores = cpu_count()
    return Device(
        name=f"CPU, {cores} cores" if cores > 1 else "CPU, 1 core",
        kind="cpu",
        busy=psutil.cpu_percent() / 100,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
    )


def _gpu(index: int) -> Device:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return Device(
        name=name if isinstance(name, str) else name.decode(errors="replace"),
        kind="cuda",
        busy=pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        memory_used=int(memory.used),
        memory_total=int(memory.total),
    )
