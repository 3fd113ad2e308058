"""How helper processes are started, so that none outlives its parent or draws on the terminal."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

NICENESS = 10
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends (prctl(2))."""
    import ctypes

    parent = os.getppid()
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


def cpu_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def worker_command(*words: str) -> list[str]:
    """Return the command line that starts `core.worker` with `words`, from any current folder."""
    return [sys.executable, "-P", "-m", "core.worker", *words]


def worker_environment() -> dict[str, str]:
    """Return this process's environment, with the package first on the module path."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
