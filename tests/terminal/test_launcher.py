"""The small process in front of the app: whatever ends the app, the terminal comes back whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.terminal.harness import Terminal, python

COMMAND = python("-m", "tests.terminal.tiny_app", "--guarded", "--mouse")
Kill = Callable[[int, signal.Signals], None]
# Whom a signal is for: the process that was started, the app behind it, or, as from a shell, both.
TOLD: dict[str, Kill] = {
    "launcher": os.kill,
    "app": lambda launcher, number: os.kill(app_of(launcher).pid, number),
    "both": os.killpg,
}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Terminal]:
    """The tiny app behind its launcher, on the screen."""
    with Terminal(COMMAND, environment={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.wait_for("size 80x24")
        yield terminal


def app_of(launcher: int) -> psutil.Process:
    (app,) = psutil.Process(launcher).children()
    return app


def read_all(terminal: Terminal) -> None:
    while terminal.read(0.05):
        pass


def test_c091_after_kill_9_the_terminal_is_restored(guarded: Terminal) -> None:
    assert len(guarded.problems()) > 5, "while it runs, the terminal is not as it was"
    TOLD["app"](guarded.process.pid, signal.SIGKILL)
    assert guarded.wait_exit() == 137
    assert guarded.problems() == []
    assert guarded.said_after == (
        "error: the screen was ended from outside or by a fault (SIGKILL)\n"
        "a training goes on, start again to watch it\n"
    )


def test_without_its_launcher_the_app_leaves(tmp_path: Path) -> None:
    # A shell in front, which keeps the terminal when its job has died.
    shell = ["sh", "-c", '"$@"; sleep 30', "sh", *COMMAND]
    with Terminal(shell, environment={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.wait_for("size 80x24")
        (launcher,) = terminal.children()[:1]
        (app,) = launcher.children()
        launcher.kill()
        terminal.wait_until(lambda: not app.is_running(), "the app to end")
        read_all(terminal)
        assert terminal.problems() == []


@pytest.mark.parametrize("key, code", [("q", 0), ("x", 1), ("u", 2)])
def test_the_exit_code_is_that_of_the_app(guarded: Terminal, key: str, code: int) -> None:
    guarded.send(key)
    assert guarded.wait_exit() == code
    assert guarded.problems() == []
    assert bytes(guarded.raw).count(b"\x1b[?1049l") == 1


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize(
    "number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_both_and_restores_the_terminal(
    guarded: Terminal, told: str, number: signal.Signals, code: int
) -> None:
    app = app_of(guarded.process.pid)
    TOLD[told](guarded.process.pid, number)
    assert guarded.wait_exit(timeout=6) == code
    assert guarded.problems() == []
    assert guarded.said_after == ""
    assert not app.is_running()


def test_a_closed_terminal_ends_both(guarded: Terminal) -> None:
    app = app_of(guarded.process.pid)
    guarded.hang_up()
    assert guarded.wait_exit_unread() == 129
    assert not app.is_running()


@pytest.mark.parametrize("told", TOLD)
def test_stopped_and_continued_they_do_it_together(guarded: Terminal, told: str) -> None:
    launcher = psutil.Process(guarded.process.pid)
    app = app_of(launcher.pid)

    def are(stopped: bool) -> bool:
        states = [p.status() == psutil.STATUS_STOPPED for p in (launcher, app)]
        return states == [stopped, stopped]

    for key in "kj":
        TOLD[told](launcher.pid, signal.SIGTSTP)
        guarded.wait_until(lambda: are(stopped=True), "both to stop")
        read_all(guarded)
        assert guarded.problems() == []
        # One who is stopped passes nothing on: a shell tells the whole job.
        TOLD["both" if told == "app" else told](launcher.pid, signal.SIGCONT)
        guarded.wait_until(lambda: are(stopped=False) and guarded.modes[1049], "both to go on")
        guarded.send(key)
        guarded.wait_for(f"key {key}")
    guarded.send("q")
    assert guarded.wait_exit() == 0
    assert guarded.problems() == []


def test_after_a_stop_that_nobody_could_prepare_for_it_goes_on_and_ends(guarded: Terminal) -> None:
    """Its threads were still there, ran twice, and one of them never ended."""
    app = app_of(guarded.process.pid)
    for taken_over in (2, 3):
        os.killpg(guarded.process.pid, signal.SIGSTOP)
        guarded.wait_until(lambda: app.status() == psutil.STATUS_STOPPED, "both to stop")
        os.killpg(guarded.process.pid, signal.SIGCONT)
        guarded.wait_until(
            partial(lambda n: guarded.raw.count(b"\x1b[?1049h") == n, taken_over), "it to go on"
        )
    guarded.send("k")
    guarded.wait_for("key k")
    guarded.send("q")
    assert guarded.wait_exit() == 0
    assert guarded.problems() == []


def test_the_launcher_loads_nothing_of_the_screen() -> None:
    code = "import sys, tui.start; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"textual", "rich", "asyncio", "msgspec", "torch"}
