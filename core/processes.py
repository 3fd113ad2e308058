"""How helper processes are started, so that none outlives its parent or draws on the terminal."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

NICENESS = 10
# What torchrun tells a process of its place among several; no other that it starts has one there.
PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_OF_TORCHRUN = "TORCHELASTIC_"
_DEATHS: dict[int, str] = {
    signal.SIGKILL: "killed, probably because memory ran out",
    signal.SIGSEGV: "crashed: segmentation fault",
    signal.SIGBUS: "crashed: bus error",
    signal.SIGABRT: "crashed: aborted",
}
_PR_SET_PDEATHSIG = 1
# Of mallopt(3): how many blocks may be mapped each on its own, and how much free memory is kept.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MOST = 2**31 - 1


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends (prctl(2)).

    Whoever knows the id of its `parent` does not outlive one that has ended before this is called, either.
    """
    import ctypes

    parent = parent or os.getppid()
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def confine(memory_bytes: int) -> None:
    """Bound this process's address space and silence its stderr: it is about to read hostile bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    os.close(silent)


def yield_cores() -> None:
    """Let everybody else's processes go first, those of other sessions as well.

    Where Linux shares the cores out by session (sched(7), autogroup), niceness counts only within one:
    a process that leads its own session has that of the session raised, too.
    """
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS))


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, where it would give large blocks back (mallopt(3)).

    A training step frees hundreds of megabytes and wants them again at once; that the kernel clears them
    each time took a tenth of the step, and a third of making the batch.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _MOST)


def cpu_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def worker_command(*words: str) -> list[str]:
    """Return the command line that starts `core.worker` with `words`, from any current folder."""
    return [sys.executable, "-P", "-m", "core.worker", *words]


def worker_environment() -> dict[str, str]:
    """Return this process's environment, with the package first on the module path.

    Its place among several that train together is left out: who is started is not one of them.
    """
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in PLACE and not name.startswith(_OF_TORCHRUN)
    }
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def how_it_died(code: int) -> str:
    """Return in words how a process ended that left with `code`, as subprocess has it: -9 for SIGKILL."""
    if code >= 0:
        return f"exit code {code}"
    return _DEATHS.get(-code, f"killed by signal {-code}")
