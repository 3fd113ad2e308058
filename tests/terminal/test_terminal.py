"""The start-up and the driver, on a real pseudo-terminal: the terminal always comes back whole."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from tests.terminal.harness import ROOT, Terminal, python

COMMAND = python("-m", "tests.terminal.tiny_app")
# What Textual itself writes: nothing else that steers the terminal may be in its output.
OWN_SEQUENCES = re.compile(rb"\x1b\[[0-9;:?<>=]*\$?[a-zA-Z]|\x1b\]22;[a-z-]*(\x07|\x1b\\)|\r|\n")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The user's state folder."""
    return tmp_path / "state"


class Told:
    """What the tiny app says past its terminal."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR)
        self._text = ""

    def wait_until(self, true: Callable[[str], bool], timeout: float = 30) -> str:
        """Return the first line that is wanted."""
        end = monotonic() + timeout
        while True:
            line, newline, rest = self._text.partition("\n")
            if newline:
                self._text = rest
                if true(line):
                    return line
            elif select.select([self._pipe], [], [], max(end - monotonic(), 0))[0]:
                self._text += os.read(self._pipe, 4096).decode()
            else:
                raise AssertionError("the app says nothing more")


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """What the app says past its terminal."""
    return Told(tmp_path / "pipe")


def tiny(state: Path, *arguments: str, **options: Any) -> Terminal:
    environment = {
        "XDG_STATE_HOME": str(state),
        "TINY_PIPE": str(state.parent / "pipe"),
        **options.pop("environment", {}),
    }
    return Terminal([*COMMAND, *arguments], environment=environment, **options)


def log(state: Path) -> Path:
    return state / "alexnet-tui" / "screen.log"


def test_quitting_restores_the_terminal(state: Path) -> None:
    with tiny(state, "--mouse") as terminal:
        terminal.wait_for("size 80x24")
        assert len(terminal.problems()) > 5, "while it runs, the terminal is not as it was"
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.problems() == []
        assert terminal.said_after == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_restores_the_terminal(
    state: Path, number: signal.Signals, code: int
) -> None:
    with tiny(state, "--mouse") as terminal:
        terminal.wait_for("size 80x24")
        terminal.kill(number)
        assert terminal.wait_exit(timeout=3) == code
        assert terminal.problems() == []
        assert terminal.said_after == ""


def test_sigterm_ends_an_app_that_hangs_and_restores_the_terminal(state: Path, told: Told) -> None:
    with tiny(state, "--mouse") as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("s")
        told.wait_until(lambda line: line == "asleep")
        terminal.kill(signal.SIGTERM)
        assert terminal.wait_exit(timeout=6) == 143
        assert terminal.problems() == []


@pytest.mark.parametrize("ignored", [False, True])
def test_sighup_ends_it_at_once(state: Path, ignored: bool) -> None:
    with tiny(state, ignore_hangup=ignored) as terminal:
        terminal.wait_for("size 80x24")
        terminal.kill(signal.SIGHUP)
        assert terminal.wait_exit(timeout=2) == 129


@pytest.mark.parametrize(
    "options", [{}, {"ignore_hangup": True}, {"controlling": False}], ids=["", "nohup", "no signal"]
)
@pytest.mark.parametrize("busy", [False, True])
def test_a_closed_terminal_ends_it_at_once(
    state: Path, told: Told, options: dict[str, bool], busy: bool
) -> None:
    with tiny(state, **options) as terminal:
        terminal.wait_for("size 80x24")
        if busy:
            terminal.send("f")
            told.wait_until(lambda line: line == "5")
        terminal.hang_up()
        assert terminal.process.wait(timeout=2) == 129


def test_an_exception_is_two_lines_and_exit_code_1(state: Path) -> None:
    with tiny(state, "--mouse") as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("x")
        assert terminal.wait_exit() == 1
        assert terminal.problems() == []
        lines = terminal.said_after.replace("\n", " ")
        assert lines.startswith("error: the screen stopped because of a fault in it")
        assert r"RuntimeError: boom \x1b[31m" in lines
        assert "Traceback" not in lines
        assert "screen.log" in lines
        assert terminal.said_after.count("\n") == 2
    assert "Traceback" in log(state).read_text()
    assert log(state).stat().st_mode & 0o777 == 0o600


def test_a_user_error_reaches_the_caller(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("u")
        assert terminal.wait_exit() == 2
        assert terminal.said_after == "error: there is nothing here\nlook elsewhere\n"


def test_without_a_state_folder_it_runs_all_the_same(state: Path) -> None:
    state.write_text("a file where the folder should be")
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("n")
        terminal.wait_for("noise made")
        assert "native noise" not in terminal.text
        terminal.send("x")
        assert terminal.wait_exit() == 1
        assert "it could not be logged" in terminal.said_after


def test_native_errors_go_to_the_log_and_not_on_the_screen(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("n")
        terminal.wait_for("noise made")
        assert b"native noise" not in terminal.raw
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert "native noise" in log(state).read_text()


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff",
        b"\xc3",
        b"caf\xe9",
        b"\x1b[M\xff\xff\xff" * 50,
        b"\x1b[M !\xc3",
        b"\x1b[48;99999;99999;0;0t",
        b"\x1b[48;0;0;0;0t\x1b[?2048;1$y\x1b[<0;5;5M",
        b"\x1b[" + b"9" * 5000 + b"R",
        b"\x1b]0;no end",
        b"\x00\x80\x9b\x1b",
    ],
    ids=lambda junk: repr(junk[:16]),
)
def test_hostile_input_does_not_end_it(state: Path, junk: bytes) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send(junk)
        # Two of them, since the first may belong to what went before.
        terminal.send("   ")
        terminal.send("k")
        terminal.wait_for("key k", timeout=60)


def test_random_bytes_do_not_end_it(state: Path) -> None:
    # Without the letters that make the tiny app stop, and without Ctrl+Q.
    bad = set(b"qxsunfch\x11")
    noise = bytes(b for b in random.Random(7).randbytes(8192) if b not in bad)
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send(noise)
        # A paste may have begun in the noise: this ends it. F9 is not in the noise.
        terminal.send("\x1b[201~   \x1b[20~")
        terminal.wait_for("key f9", timeout=60)


def test_a_paste_is_one_line_of_4_kb(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("\x1b[200~" + "/data/faces\nq\n" + "\x1b[201~")
        terminal.wait_for("pasted 11 '/data/face'")
        terminal.wait_for("Only the start")
        terminal.send("\x1b[200~" + "y" * 1_000_000 + "\x1b[201~")
        terminal.wait_for("pasted 4096 'yyyyyyyyyy'")
        terminal.send("k")
        terminal.wait_for("key k")


def test_hostile_text_does_not_reach_the_terminal(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("h")
        terminal.wait_for("hostile shown")
        terminal.wait_for("below")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        # To the end, so that no sequence is cut in two.
        written = OWN_SEQUENCES.sub(b"", bytes(terminal.raw)).decode()
    assert "title" in written
    assert "gpj.exe" in written
    assert [char for char in written if not char.isprintable()] == []


def test_a_terminal_that_stalls_does_not_stall_the_app(state: Path, told: Told) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("f")
        terminal.wait_for("tick 5")
        # The app draws on while nobody reads: with a blocking writer it stands still at about 60.
        told.wait_until(lambda line: int(line) > 300)
        terminal.send_unread("f")
        last = told.wait_until(lambda line: line.startswith("stopped")).split()[1]
        # What is shown afterwards is of now, whole, and not a film of what was missed.
        seen = len(terminal.raw)
        terminal.wait_until(lambda: terminal.text.count(f"tick {last} ") == 20, "the last frame")
        assert len(terminal.raw) - seen < 400_000
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.problems() == []


def test_a_stalled_terminal_does_not_hold_up_the_end(state: Path, told: Told) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("f")
        told.wait_until(lambda line: int(line) > 200)
        terminal.kill(signal.SIGTERM)
        assert terminal.wait_exit_unread(timeout=5) == 143


def test_stopped_and_continued_it_gives_the_terminal_back_and_takes_it_again(state: Path) -> None:
    with tiny(state, "--mouse") as terminal:
        terminal.wait_for("size 80x24")
        program = psutil.Process(terminal.process.pid)
        terminal.kill(signal.SIGTSTP)
        terminal.wait_until(lambda: program.status() == psutil.STATUS_STOPPED, "the stop")
        while terminal.read(0):
            pass
        assert terminal.problems() == []
        terminal.kill(signal.SIGCONT)
        terminal.wait_until(lambda: terminal.modes[1049], "the screen")
        terminal.send("k")
        terminal.wait_for("key k")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.problems() == []


def test_resizing_follows_the_window(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        for columns, rows in ((120, 40), (200, 60), (20, 5), (60, 20)):
            terminal.resize(columns, rows)
            terminal.wait_for(f"size {columns}x{rows}")
        for columns, rows in ((1, 1), (2, 500), (500, 2), (0, 0)):
            # Told to the program alone: the emulator of these tests does not survive one cell.
            terminal._set_size(columns, rows)
        terminal.resize(80, 24)
        terminal.wait_for("size 80x24")


def test_children_are_listed(state: Path) -> None:
    with tiny(state) as terminal:
        terminal.wait_for("size 80x24")
        assert terminal.children() == []
        terminal.send("c")
        terminal.wait_for("child started")
        children = terminal.children()
        assert len(children) == 1
        for child in children:
            child.kill()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TERM": "dumb"}, "a terminal of type 'dumb'"),
        ({"TERM": ""}, "a terminal of type ''"),
        ({"PYTHONIOENCODING": "latin-1"}, "UTF-8"),
    ],
)
def test_a_terminal_that_cannot_show_it_is_refused(
    state: Path, environment: dict[str, str], said: str
) -> None:
    with tiny(state, environment=environment) as terminal:
        assert terminal.wait_exit() == 2
        lines = bytes(terminal.raw).decode().splitlines()
        assert lines[0].startswith("error: ")
        assert said in lines[0]
        assert "train, watch, classify" in " ".join(lines[1:])
        assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("environment", [{"TERM": "vt100"}, {"NO_COLOR": "1"}, {"LC_ALL": "C"}])
def test_modest_terminals_are_good_enough(state: Path, environment: dict[str, str]) -> None:
    with tiny(state, environment=environment) as terminal:
        terminal.wait_for("size 80x24")
        terminal.send("q")
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_redirected_stream_is_refused(state: Path, tmp_path: Path, stream: str) -> None:
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    with tiny(state, redirected={stream: other}) as terminal:
        assert terminal.wait_exit() == 2
        said = bytes(terminal.raw).decode() + (tmp_path / "other").read_text()
        assert said.startswith("error: this program needs a terminal")
        assert "\x1b" not in said
    os.close(other)


def test_a_pipe_is_refused() -> None:
    result = subprocess.run(
        COMMAND, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: this program needs a terminal: standard input")
    assert result.stdout == ""
