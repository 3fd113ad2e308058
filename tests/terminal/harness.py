"""Runs a program on a real pseudo-terminal and says what a person in front of it would see."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType
from typing import Self

import psutil
import pyte

ROOT = Path(__file__).parents[2]
# Kitty keyboard, mode questions and strings for the terminal: pyte would print them.
_UNKNOWN = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b[P_^X][^\x1b]*\x1b\\")
_CUT = re.compile(rb"\x1b(\[[0-9;?<>=$]*)?\Z")
_MODES = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
ALTERNATE_SCREEN, CURSOR, PASTE, FOCUS = 1049, 25, 2004, 1004
MOUSE = (1000, 1002, 1003, 1006, 1015, 1016)


class Terminal:
    """A program on its own terminal: what it wrote, what that looks like, how it ended."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        ignore_hangup: bool = False,
        controlling: bool = True,
        redirected: Mapping[str, int] | None = None,
    ) -> None:
        """Start `command`; `redirected` gives it another `stdin`, `stdout` or `stderr`.

        A terminal that is not `controlling` sends no SIGHUP when it goes.
        """
        self.raw = bytearray()
        self.heard_at = self.started_at = perf_counter()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0
        # The program's side stays open here, so that its settings can still be read at the end.
        self._master, self._slave = pty.openpty()
        self._set_size(columns, rows)
        streams = {"stdin": self._slave, "stdout": self._slave, "stderr": self._slave}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(environment or {}),
            start_new_session=True,
            preexec_fn=_own_terminal(self._slave, ignore_hangup, controlling),
            pass_fds=[self._slave],
            **(streams | dict(redirected or {})),  # type: ignore[call-overload]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def send(self, data: bytes | str) -> None:
        """Type `data`, reading meanwhile so that neither side waits for the other."""
        rest = data.encode() if isinstance(data, str) else data
        while rest:
            readable, writable, _ = select.select([self._master], [self._master], [], 10)
            if readable:
                self.read(0)
            if writable:
                rest = rest[os.write(self._master, rest[:512]) :]
            elif not readable:
                raise AssertionError("the program does not read its terminal")

    def send_unread(self, key: str) -> None:
        """Type a key without reading what the program writes."""
        os.write(self._master, key.encode())

    def read(self, timeout: float) -> bool:
        """Take what the program has written, waiting at most `timeout`; False if nothing came."""
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        data = os.read(self._master, 65536)
        self.heard_at = perf_counter()
        self.raw += data
        return True

    def wait_until(self, true: Callable[[], bool], what: str, timeout: float = 15) -> None:
        """Read until `true()`; fail with what is on the screen when it takes too long."""
        end = monotonic() + timeout
        while not true():
            left = end - monotonic()
            if left <= 0:
                raise AssertionError(f"waited {timeout:g} s for {what}\n{self.text}")
            if not self.read(min(left, 0.05)) and self.process.poll() is not None:
                while self.read(0):
                    pass
                if not true():
                    code = self.process.returncode
                    raise AssertionError(f"ended with {code} before {what}\n{self.text}")

    def wait_for(self, text: str, timeout: float = 15) -> None:
        """Read until `text` is on the screen."""
        self.wait_until(lambda: text in self.text, repr(text), timeout)

    def wait_gone(self, text: str, timeout: float = 15) -> None:
        """Read until `text` is no longer on the screen."""
        self.wait_until(lambda: text not in self.text, f"{text!r} to go", timeout)

    def wait_exit(self, timeout: float = 15) -> int:
        """Read until the program has ended; return its exit status, negative for a signal."""
        self.wait_until(lambda: self.process.poll() is not None, "the end", timeout)
        while self.read(0):
            pass
        return self.process.returncode

    def wait_exit_unread(self, timeout: float = 15) -> int:
        """Wait for the program to end without reading what it writes."""
        return self.process.wait(timeout)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size; the program gets its SIGWINCH."""
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def hang_up(self) -> None:
        """Close the terminal, as a dropped SSH line does."""
        for descriptor in (self._master, self._slave):
            try:
                os.close(descriptor)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise

    def kill(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def children(self) -> list[psutil.Process]:
        """Return the processes that the program has started and that are alive."""
        return psutil.Process(self.process.pid).children(recursive=True)

    @property
    def screen(self) -> pyte.Screen:
        """What a terminal makes of all that was read: drawn only when asked for, since that is slow."""
        data = bytes(self.raw[self._fed :])
        cut = _CUT.search(data)
        data = data[: cut.start()] if cut else data
        self._fed += len(data)
        self._stream.feed(_UNKNOWN.sub(b"", data))
        return self._screen

    @property
    def text(self) -> str:
        """What is on the screen, a line a row."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def modes(self) -> dict[int, bool]:
        """The terminal's private modes that the program has switched, and how they are now."""
        return {
            int(mode): switch == b"h"
            for modes, switch in _MODES.findall(bytes(self.raw))
            for mode in modes.split(b";")
        }

    @property
    def said_after(self) -> str:
        """What the program has written after it gave the screen back."""
        after = bytes(self.raw).rpartition(b"\x1b[?1049l")[2]
        return re.sub(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]", b"", after).decode().replace("\r\n", "\n")

    def problems(self) -> list[str]:
        """Return in which ways the terminal is not as the program found it."""
        modes, flags = self.modes, termios.tcgetattr(self._slave)[3]
        wrong = [f"mode {mode} is on" for mode in (*MOUSE, PASTE, FOCUS) if modes.get(mode)]
        if modes.get(ALTERNATE_SCREEN):
            wrong.append("not the main screen")
        if not modes.get(CURSOR, True):
            wrong.append("no cursor")
        if not flags & termios.ECHO or not flags & termios.ICANON or not flags & termios.ISIG:
            wrong.append("keys are not echoed, or come one by one, or Ctrl+C is only a key")
        if bytes(self.raw).count(b"\x1b[>") > bytes(self.raw).count(b"\x1b[<u"):
            wrong.append("the keyboard still speaks kitty's protocol")
        return wrong

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _own_terminal(slave: int, ignore_hangup: bool, controlling: bool) -> Callable[[], None]:
    def prepare() -> None:
        if controlling:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        if ignore_hangup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    return prepare


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that does not depend on where the tests run."""
    names = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    fixed = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    fixed["ALEXNET_TUI_SETTINGS"] = "/dev/null/none"
    return kept | fixed | dict(extra)


def python(*arguments: str) -> list[str]:
    """Return the command that runs this Python with `arguments`."""
    return [sys.executable, *arguments]
