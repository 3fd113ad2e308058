"""The line that tells how far work is: on a terminal alone, and gone before anything else is printed."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pexpect
import pytest

from core import live
from core.config import TrainConfig
from core.errors import UserError
from core.live import LiveLine, result_of
from core.printing import RunPrinter
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.core.conftest import ROOT, write_dataset
from tests.core.test_snapshot import STARTED, TRAINING, epoch, step


class Terminal(io.StringIO):
    """Takes what is written, as a terminal of 40 columns does."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    # pytest puts its own in place of `sys.stderr` before each test.
    monkeypatch.setattr(live, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((40, 24)))
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    monkeypatch.setenv("TERM", "xterm")
    return made


def test_it_is_written_over_cut_to_the_width_and_cleared(terminal: Terminal) -> None:
    with LiveLine() as line:
        line.count("pictures", 1200, 10_000)
        line.show("\x1b[31m" + "x" * 100)
    first, second, last = terminal.getvalue().split("\r")[1:]
    assert first == "pictures 1,200 of 10,000\x1b[K" and last == "\x1b[K"
    shown = second.removesuffix("\x1b[K")
    assert len(shown) == 39 and shown.endswith("x…") and "\x1b" not in shown


def test_it_is_shown_no_more_often_than_a_slow_line_bears(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY_SECONDS", 1e6)
    line = LiveLine()
    for number in range(100):
        line.count("pictures", number)
    assert terminal.getvalue() == "\rpictures 0\x1b[K"


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_cannot_clear_a_line_is_left_alone(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TERM", name)
    with LiveLine() as line:
        line.count("pictures", 1)
    assert terminal.getvalue() == ""


def test_a_terminal_whose_foreground_is_another_program_is_left_alone(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    with LiveLine() as line:
        line.count("pictures", 1)
    assert terminal.getvalue() == ""


def test_a_terminal_of_no_known_width_and_one_that_goes_away_are_no_trouble(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    line = LiveLine()
    line.count("pictures", 1)
    assert terminal.getvalue() == "\rpictures 1\x1b[K"

    def gone(text: str) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(terminal, "write", gone)
    line.count("pictures", 2)
    line.clear()
    assert not line.due


def test_what_goes_through_a_pipe_has_no_line_beside_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.printing.is_piped", lambda: True)
    printer = RunPrinter(RunFolder(tmp_path), as_json=False)
    for event in (STARTED, TRAINING, step(2)):
        printer.show(event)
    assert terminal.getvalue() == ""


def test_nothing_of_it_goes_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveLine() as line:
        line.count("pictures", 1)
    assert capsys.readouterr().err == ""


async def test_the_end_of_work_is_its_result_and_no_end_is_an_error(terminal: Terminal) -> None:
    async def told(*said: tuple[int, int] | str) -> AsyncIterator[tuple[int, int] | str]:
        for one in said:
            yield one

    assert await result_of(told((1, 2), (2, 2), "found"), "search", "files") == "found"
    assert terminal.getvalue().endswith("\rfiles 2 of 2\x1b[K\r\x1b[K")
    with pytest.raises(UserError, match="The search did not finish"):
        await result_of(told((1, 2)), "search", "files")


def test_a_run_tells_its_steps_there_and_its_epochs_on_lines_that_stay(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    printer = RunPrinter(RunFolder(tmp_path), as_json=False)
    printer.show(STARTED)
    printer.show(ev.Preparing(stage="decode", done=5, total=9))
    printer.show(TRAINING)
    printer.show(step(2))
    assert "\repoch 1/4  step 2/" in terminal.getvalue()
    assert "\rdecoding the pictures 5 of 9\x1b[K\r\x1b[K" in terminal.getvalue()
    printer.show(epoch(1, 0.7, True))
    assert terminal.getvalue().endswith("\r\x1b[K")
    out = capsys.readouterr().out
    assert "epoch 1/4" in out and "step" not in out and "\r" not in out


def test_json_has_every_event_and_no_line_beside(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    printer = RunPrinter(RunFolder(tmp_path), as_json=True)
    for event in (STARTED, TRAINING, step(2), step(3)):
        printer.show(event)
    assert terminal.getvalue() == ""
    assert len(capsys.readouterr().out.splitlines()) == 4


def hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_no_line_before_the_prompt(tmp_path: Path) -> None:
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    with run.lock(), run.writer() as log:
        for event in (STARTED, TRAINING, step(2)):
            log.write(event)
        environment = os.environ | {"TERM": "xterm"}
        words = ["run_tui.py", "watch", str(run.path)]
        terminal = pexpect.spawn(
            *(sys.executable, words),
            cwd=str(ROOT),
            env=environment,
            timeout=60,
            encoding="utf-8",
            # Where the tests themselves run in the background it is ignored, and that is inherited.
            preexec_fn=hear_ctrl_c,
        )
        terminal.expect("step 2/")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert terminal.before is not None and terminal.before.endswith("\r\x1b[K")
    assert terminal.exitstatus == 130


def test_the_doctor_counts_on_a_real_terminal(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", per_class=20)
    environment = os.environ | {"TERM": "xterm", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = ["run_tui.py", "doctor", str(data)]
    terminal = pexpect.spawn(
        sys.executable, words, cwd=str(ROOT), env=environment, timeout=60, encoding="utf-8"
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.before is not None
    shown, _, rest = terminal.before.rpartition("\r\x1b[K")
    assert terminal.exitstatus == 0 and "\rpictures " in shown
    assert "can be trained on" in rest and "\x1b" not in rest
