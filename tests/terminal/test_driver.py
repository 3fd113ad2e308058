"""The two threads between app and terminal, each on a pipe of its own."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from typing import NoReturn

import pytest
from textual._ansi_sequences import SYNC_END, SYNC_START

from tui.driver import SafeDriver
from tui.writer import Writer


def test_starting_up_loads_nothing_heavy() -> None:
    code = "import sys, tui.terminal; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "textual" in loaded
    assert not {"plotext", "textual_plotext", "PIL", "numpy", "httpx", "torch"} & loaded


Line = tuple[int, int]


@pytest.fixture(params=["pipe", "terminal"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """Two ends, to read and to write: a pipe, or a terminal, which can be written to without waiting."""
    reader, writer = os.pipe() if request.param == "pipe" else os.openpty()
    if os.isatty(writer):
        tty.setraw(writer)
    yield reader, writer
    os.close(reader)
    os.close(writer)


class GoneError(Exception):
    """Stands for the end of the process."""


def never() -> None:
    raise AssertionError("not expected")


def test_the_end_of_input_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> NoReturn:
        raise GoneError

    monkeypatch.setattr("tui.driver.terminal_gone", gone)
    reader, writer = os.pipe()
    driver = object.__new__(SafeDriver)
    driver.fileno, driver.exit_event, driver._debug = reader, threading.Event(), False
    os.close(writer)
    with pytest.raises(GoneError):
        driver.run_input_thread()
    os.close(reader)


def test_a_write_that_fails_ends_the_program() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    gone = threading.Event()
    Writer(writer, never, gone.set).write("x")
    assert gone.wait(5)
    os.close(writer)


def test_a_terminal_that_became_non_blocking_gets_everything(line: Line) -> None:
    reader, writer = line
    os.set_blocking(writer, False)
    output = Writer(writer, never, never)
    text = "0123456789" * 20_000
    output.write(text)
    taken = b""
    while len(taken) < len(text):
        assert select.select([reader], [], [], 5)[0]
        taken += os.read(reader, 65536)
    output.close()
    assert taken.decode() == text


def test_frames_are_dropped_whole_and_modes_never(line: Line) -> None:
    reader, writer = line
    drained = threading.Event()
    output = Writer(writer, drained.set, never)
    frame = "f" * 99_999 + "\n"
    for _ in range(50):
        output.write(frame)
    output.write("mode", keep=True)
    output.write("late frame")
    taken = b""
    while not drained.is_set() and select.select([reader], [], [], 5)[0]:
        taken += os.read(reader, 65536)
    output.close()
    while select.select([reader], [], [], 0)[0]:
        taken += os.read(reader, 65536)
    *frames, rest = taken.decode().split("\n")
    assert 5 <= len(frames) < 20
    assert {len(f) for f in frames} == {99_999}
    assert rest == "mode"


def test_characters_that_cannot_be_written_are_replaced(line: Line) -> None:
    reader, writer = line
    output = Writer(writer, never, never)
    output.write("a\udce9b")
    output.close()
    assert os.read(reader, 10) == b"a?b"


def test_a_frame_too_large_for_the_queue_is_sent_once(line: Line) -> None:
    """Its end, that of a synchronized update, was dropped and so asked for the same frame for ever."""
    reader, writer = line
    drained = threading.Event()
    driver = object.__new__(SafeDriver)
    driver._steady = True
    driver._writer = output = Writer(writer, drained.set, never)
    frame = "\x1b[1;1H" + "x" * 600_000
    for text in (SYNC_START, frame, SYNC_END):
        driver.write(text)
    taken = b""
    while not taken.endswith(SYNC_END.encode()) and select.select([reader], [], [], 5)[0]:
        taken += os.read(reader, 65536)
    output.close()
    assert taken.decode() == SYNC_START + frame + SYNC_END
    assert not drained.is_set()


def test_a_frame_that_changes_nothing_sends_nothing(line: Line) -> None:
    reader, writer = line
    output = Writer(writer, never, never)
    output.synchronized = True
    for _ in range(3):
        output.write("\x1b[1;1Hloss\x1b[1;1H")
    output.close()
    assert os.read(reader, 1000).decode() == f"{SYNC_START}\x1b[1;1Hloss\x1b[1;1H{SYNC_END}"


def test_what_a_terminal_takes_is_written_by_who_draws_it() -> None:
    """Handed to a thread, it would wait for that beside a training on all cores."""
    reader, writer = os.openpty()
    tty.setraw(writer)
    output = Writer(writer, never, never)
    output.write("\x1b[1;1Hloss\x1b[1;1H")
    assert select.select([reader], [], [], 0)[0]
    assert os.read(reader, 1000) == b"\x1b[1;1Hloss\x1b[1;1H"
    output.close()
    os.close(writer)
    os.close(reader)


def test_a_terminal_that_stops_in_mid_frame_gets_the_rest_of_it_and_then_the_end() -> None:
    reader, writer = os.openpty()
    tty.setraw(writer)
    output = Writer(writer, never, never)
    frames = [f"\x1b[1;1H{letter * 300_000}" for letter in "ab"]
    for frame in frames:
        output.write(frame)
    # Two seconds later it is behind: what is queued may go, what is begun may not.
    output._busy_since = float("-inf")
    output.forget()
    output.write("end", keep=True)
    taken = b""
    while not taken.endswith(b"end") and select.select([reader], [], [], 5)[0]:
        taken += os.read(reader, 65536)
    output.close()
    assert taken.decode() in (frames[0] + "end", "".join(frames) + "end")
    os.close(writer)
    os.close(reader)


def test_the_terminal_is_opened_anew_and_the_shells_own_still_waits() -> None:
    reader, writer = os.openpty()
    output = Writer(writer, never, never)
    assert output._unwaiting not in (None, writer)
    assert os.get_blocking(writer)
    output.close()
    assert output._unwaiting is None
    os.close(writer)
    os.close(reader)
