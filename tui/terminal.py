"""Starts the app on a real terminal and gives the terminal back whole, whatever happens meanwhile."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import socket
import sys
import termios
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path
from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.worker import WorkerFailed

from core.errors import UserError
from core.text import safe_text
from tui.console import check_terminal, restore_terminal
from tui.driver import SafeDriver, terminal_gone

__all__ = ["SafeDriver", "SafeLineFilter", "run", "screen_log", "write_log"]

FORCE_SECONDS = 3.0
_LOG_BYTES = 1_000_000
# C0, DEL, C1, and what reorders or hides text: soft hyphen and joiners have a meaning and stay.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_UNPAIRED = re.compile("[\ud800-\udfff]")


class SafeLineFilter(LineFilter):
    """Drops what could steer the terminal, should it have slipped past `safe_text`.

    What it drops has no width, so that columns stay where they are; half characters have one,
    and become `?`.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` with harmless text; those for the terminal itself stay as they are."""
        return [_harmless(segment) for segment in segments]


def _harmless(segment: Segment) -> Segment:
    text = segment.text
    if segment.control or (text.isascii() and text.isprintable()):
        return segment
    return Segment(_UNPAIRED.sub("?", _STEERING.sub("", text)), segment.style)


def run(app: App[Any], mouse: bool = False) -> int:
    """Run `app` on the terminal and return the process' exit code.

    Whatever the app wants to say when it is over has to be printed after this: standard error is
    a log file meanwhile, so that no library paints over the screen.

    Raises:
        UserError: there is no terminal that could show the app, or the app itself raised one.
    """
    check_terminal()
    app.driver_class = SafeDriver
    with _log_for_errors() as log, _signals(app):
        error = _run(app, mouse)
    if isinstance(error, UserError):
        raise error
    if error is None:
        return app.return_code or 0
    reason = safe_text(f"{type(error).__name__}: {error}", 200)
    print(f"error: the screen stopped because of a fault in it ({reason})", file=sys.stderr)
    where = f"the traceback is in {safe_text(log)}" if log else "it could not be logged"
    print(f"{where}; a training goes on, start again to watch it", file=sys.stderr, flush=True)
    return 1


def _run(app: App[Any], mouse: bool) -> BaseException | None:
    """Run `app` and return the exception that ended it; its traceback is in the log."""
    try:
        app.run(mouse=mouse)
    except Exception as error:  # noqa: BLE001
        # The last place that can say it in two lines instead of a traceback on the terminal.
        traceback.print_exc()
        return error
    # Textual keeps what a handler raised, prints it, and returns as if nothing had happened.
    raised = app._exception
    return raised.error if isinstance(raised, WorkerFailed) else raised


@contextmanager
def _log_for_errors() -> Iterator[Path | None]:
    """Keep the terminal for Textual alone: descriptor 2 is a log file meanwhile.

    Yields the log's path, or None when it cannot be written.
    """
    log, path = _open_log()
    terminal = os.dup(2)
    painted = sys.__stderr__
    faults = os.dup(log)
    sys.stderr.flush()
    os.dup2(log, 2)
    os.close(log)
    faulthandler.enable(faults)
    # Textual draws on `sys.__stderr__`.
    sys.__stderr__ = os.fdopen(  # type: ignore[misc]
        os.dup(terminal), "w", encoding="utf-8", errors="backslashreplace"
    )
    try:
        yield path
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        faulthandler.disable()
        os.close(faults)
        sys.__stderr__ = painted  # type: ignore[misc]


def screen_log() -> Path:
    """Return where what the screen cannot show is kept."""
    return user_state_path("alexnet-tui") / "screen.log"


def write_log(line: str) -> None:
    """Append a line to the log, if the app runs on a terminal."""
    if sys.__stderr__ is not None and sys.__stderr__.fileno() != 2:
        os.write(2, f"{datetime.now():%H:%M:%S} {safe_text(line)}\n".encode())


def _open_log() -> tuple[int, Path | None]:
    """Open the log, emptied when it has grown large."""
    path = screen_log()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(path, flags, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), None
    with suppress(OSError):
        if os.fstat(log).st_size > _LOG_BYTES:
            os.ftruncate(log, 0)
        os.write(log, f"--- {datetime.now():%Y-%m-%d %H:%M:%S} pid {os.getpid()}\n".encode())
    return log, path


@contextmanager
def _signals(app: App[Any]) -> Iterator[None]:
    """Have a thread answer SIGHUP, SIGTERM and SIGINT, so that a busy main thread does not matter.

    Python tells the thread through a socket (`signal.set_wakeup_fd`) as soon as a signal arrives;
    the handlers themselves have nothing left to do.
    """
    ours, told = socket.socketpair()
    told.setblocking(False)
    before = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    }
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    attributes = termios.tcgetattr(0)
    watch = _Watch(app, ours, attributes)
    threading.Thread(target=watch.listen, name="signals", daemon=True).start()
    try:
        yield
    finally:
        watch.over.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        # The thread sees the end of the socket and ends, too; only it closes its side.
        told.close()


class _Watch:
    """What the thread for signals does."""

    def __init__(self, app: App[Any], ours: socket.socket, attributes: list[Any]) -> None:
        self.over = threading.Event()
        self._app, self._ours, self._attributes = app, ours, attributes

    def listen(self) -> None:
        """Wait for signals until the app is over."""
        leaving = False
        with self._ours:
            while numbers := self._ours.recv(64):
                if signal.SIGHUP in numbers:
                    terminal_gone()
                ending = [n for n in numbers if n in (signal.SIGTERM, signal.SIGINT)]
                if ending and not leaving:
                    leaving = True
                    self._leave(128 + ending[0])

    def _leave(self, code: int) -> None:
        """Ask the app to exit; if it has not in time, restore the terminal and end the process."""
        watchdog = threading.Thread(target=self._force, args=(code,), daemon=True)
        watchdog.start()
        self._app.call_later(self._app.exit, return_code=code)

    def _force(self, code: int) -> None:
        if not self.over.wait(FORCE_SECONDS):
            restore_terminal(self._attributes)
            os._exit(code)
