"""What the real program tells the terminal beside its screen: a text to keep, the end of a run."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from core.config import TrainConfig
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.terminal.harness import ROOT, Terminal, python
from tests.tui.conftest import beginning

ENTER = "\r"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the program keeps its things in these tests."""
    made = {
        "ALEXNET_TUI_RUNS": str(tmp_path / "runs"),
        "ALEXNET_TUI_SETTINGS": str(tmp_path / "settings.toml"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    monkeypatch.setenv("ALEXNET_TUI_RUNS", made["ALEXNET_TUI_RUNS"])
    return made


def test_a_copied_line_and_the_end_of_a_run_reach_the_terminal_and_not_the_screen(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run = RunFolder.create(TrainConfig(data="/data/fa\x1bces"))
    with run.lock(), run.writer() as log:
        for event in beginning():
            log.write(event)
        with Terminal(python("run_tui.py"), environment=environment) as terminal:
            terminal.wait_for("running now")
            terminal.send(ENTER)
            terminal.wait_for(f"watch {run.name}")
            terminal.send("y")
            line = base64.b64encode(shlex.join([*python("run_tui.py"), "watch", run.name]).encode())
            terminal.wait_until(lambda: b"\x1b]52;c;" + line in terminal.raw, "what is copied")
            terminal.wait_for("copied")
            assert b"\x1b]9;" not in terminal.raw
            log.write(ev.RunFailed(run=run.name, title="Out of memory.", hint="Try less."))
            said = b"\x1b]9;AlexNet: fa\\x1bces failed\x07\x07"
            terminal.wait_until(lambda: said in terminal.raw, "the notice")
            terminal.wait_for("Out of memory.")
            assert "AlexNet: fa" not in terminal.text
            terminal.send("\x11")
            assert terminal.wait_exit() == 0
            assert terminal.problems() == []
            assert terminal.raw.count(b"\x1b]9;") == 1
    logged = (tmp_path / "state" / "alexnet-tui" / "screen.log").read_text()
    assert f"copied: run_tui.py watch {run.name}" in logged


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """The words before a command for a tmux of this test's own."""
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("no tmux here")
    words = [program, "-S", str(tmp_path / "tmux"), "-f", os.devnull]
    yield words
    subprocess.run([*words, "kill-server"], check=False, capture_output=True)


def test_tmux_as_it_comes_keeps_what_is_copied(
    tmux: list[str], environment: dict[str, str]
) -> None:
    def answers(*words: str) -> str:
        return subprocess.run([*tmux, *words], check=False, capture_output=True, text=True).stdout

    def wait_for(text: str, *words: str) -> None:
        end = monotonic() + 20
        while text not in answers(*words):
            assert monotonic() < end, answers("capture-pane", "-p")

    own = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    command = python(str(ROOT / "run_tui.py"))
    size = ("-x", "80", "-y", "24")
    subprocess.run([*tmux, "new-session", "-d", *size, *own, *command], check=True, cwd=ROOT)
    assert "external" in answers("show-options", "-g", "set-clipboard")
    wait_for("Train a model", "capture-pane", "-p")
    answers("send-keys", "y")
    wait_for("run_tui.py --help", "show-buffer")
    wait_for("copied", "capture-pane", "-p")
