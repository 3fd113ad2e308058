"""A small process in front of the app that gives the terminal back where the app no longer can.

Nothing can be done after a kill -9 by the one who is killed. So the process that was started waits, with
no more loaded than it needs for that, and a copy of it becomes the app. Whoever is told something by a
signal, one of them or both as by a shell, it comes out alike: both stop, both go on, both end.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from contextlib import suppress

from tui.console import restore_terminal

_TOLD = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
}
_HEARD = _TOLD | {signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT}
# The exit code of an app that has lost its terminal, or was told that it has.
HUNG_UP = 129
# A shell stops and continues both processes: only what this one alone was told is passed on.
_BOTH_SECONDS = 0.3
_started_by_shell = False


def split_off() -> int | None:
    """Return None in the process that shall become the app, in the other its exit code at the end."""
    global _started_by_shell
    parent = os.getppid()
    with suppress(OSError):
        # A shell that can stop and continue has given us a process group of our own.
        same_session = os.getsid(parent) == os.getsid(0)
        _started_by_shell = same_session and os.getpgid(parent) != os.getpgrp()
    attributes = termios.tcgetattr(0)
    ours, theirs = os.pipe()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Writing to the terminal must not stop this process when it is no longer in the foreground.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD | {signal.SIGTTOU})
    app = os.fork()
    if app:
        os.close(ours)
        return _end(_Guard(app).wait(), attributes)
    os.close(theirs)
    threading.Thread(target=_follow, args=(ours,), name="launcher", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return None


def has_shell() -> bool:
    """Tell whether a shell started this program that notices when it stops, and can continue it."""
    return _started_by_shell


def _follow(pipe: int) -> None:
    """Leave as if told to, once the launcher is gone: the shell takes the terminal for its own."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


class _Guard:
    """Waits for the app, and stops and goes on with it."""

    def __init__(self, app: int) -> None:
        self._app = app
        self._stopped = False
        self._status: int | None = None

    def wait(self) -> int:
        """Return how the app ended: its exit code, or minus the number of the signal."""
        while self._status is None:
            number = signal.sigwaitinfo(_HEARD).si_signo
            if number == signal.SIGCHLD:
                self._look()
            elif number in _TOLD:
                os.kill(self._app, number)
            elif self._stopped != (number == signal.SIGTSTP):
                if signal.sigtimedwait({signal.SIGCHLD}, _BOTH_SECONDS):
                    self._look()
                else:
                    os.kill(self._app, number)
        return self._status

    def _look(self) -> None:
        """Take up what has become of the app; stop where it has, so that the shell sees it."""
        flags = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
        while (found := os.waitpid(self._app, flags))[0]:
            if os.WIFSTOPPED(found[1]):
                self._stopped = True
                os.kill(os.getpid(), signal.SIGSTOP)
            elif os.WIFCONTINUED(found[1]):
                self._stopped = False
            else:
                self._status = os.waitstatus_to_exitcode(found[1])
                return


def _end(status: int, attributes: list[object]) -> int:
    """Give the terminal back if the app has not, and return the exit code."""
    if status >= 0 and status != HUNG_UP:
        return status
    restore_terminal(attributes)
    if -status in (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT):
        name = signal.Signals(-status).name
        print(f"error: the screen was ended from outside or by a fault ({name})", file=sys.stderr)
        print("a training goes on, start again to watch it", file=sys.stderr, flush=True)
    return status if status >= 0 else 128 - status
