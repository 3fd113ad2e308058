"""The dashboard inside a real tmux, as over SSH: detached, attached elsewhere, split, and zoomed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.config import TrainConfig
from core.runs.folder import RunFolder
from tests.terminal.harness import ROOT, Terminal, python
from tests.tui.conftest import beginning, epoch_events

TMUX = shutil.which("tmux")
pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


class Server:
    """A tmux server of this test's own, with one session."""

    def __init__(self, socket: Path, environment: dict[str, str]) -> None:
        self._start = [str(TMUX), "-S", str(socket), "-f", os.devnull]
        self._environment = environment

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._start, *words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout

    def attach(self, columns: int, rows: int) -> Terminal:
        """Return another terminal that looks at the session."""
        return Terminal(
            [*self._start, "attach"], columns=columns, rows=rows, environment=self._environment
        )

    def pane(self) -> str:
        """Return what stands in the app's pane, as tmux has it."""
        return self("capture-pane", "-p", "-t", "main:0.0")

    def wait_until(self, true: Callable[[str], bool], what: str) -> str:
        end = time.monotonic() + 30
        while not true(shown := self.pane()):
            assert time.monotonic() < end, f"waited for {what}\n{shown}"
        return shown


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFolder]:
    """A run that lives: this process holds it, and has said three epochs."""
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    made = RunFolder.create(TrainConfig(data="/data/faces-10k", epochs=12))
    with made.lock(), made.writer() as log:
        for event in [*beginning(), *(e for epoch in (1, 2, 3) for e in epoch_events(epoch))]:
            log.write(event)
        yield made


def _environment(folder: Path, run: RunFolder) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "ALEXNET_TUI_RUNS": str(run.path.parent),
        "ALEXNET_TUI_SETTINGS": str(folder / "settings.toml"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


@pytest.fixture
def server(tmp_path: Path, run: RunFolder) -> Iterator[Server]:
    """The dashboard of that run, in a tmux that nobody looks at yet."""
    tmux = Server(tmp_path / "socket", _environment(tmp_path, run))
    command = shlex.join(python("run_tui.py"))
    tmux("new-session", "-d", "-s", "main", "-x", "100", "-y", "30", command)
    try:
        tmux.wait_until(lambda text: "running now" in text, "the first screen")
        tmux("send-keys", "-t", "main:0.0", "Enter")
        tmux.wait_until(lambda text: complete(text, 100, 30), "the dashboard")
        yield tmux
    finally:
        tmux("kill-server")


@pytest.fixture
def shell(tmp_path: Path, run: RunFolder) -> Iterator[Server]:
    """The first screen, started from a shell."""
    tmux = Server(tmp_path / "socket", _environment(tmp_path, run))
    tmux("new-session", "-d", "-s", "main", "-x", "100", "-y", "30", "sh")
    try:
        tmux("send-keys", "-t", "main:0.0", shlex.join(python("run_tui.py")), "Enter")
        tmux.wait_until(lambda text: "running now" in text and "? help" in text, "the screen")
        yield tmux
    finally:
        tmux("kill-server")


def menu(text: str) -> list[str]:
    """Return what stands on the first screen whatever the run does."""
    return text.splitlines()[4:]


def test_put_aside_and_brought_back_it_is_whole(shell: Server) -> None:
    before = menu(shell.pane())
    shell("send-keys", "-t", "main:0.0", "C-z")
    shell.wait_until(lambda text: "Stopped" in text and "? help" not in text, "the shell")
    shell("send-keys", "-t", "main:0.0", "fg", "Enter")
    shell.wait_until(lambda text: menu(text) == before, "the screen as it was")


def test_what_another_program_wrote_over_it_is_gone_after_ctrl_l(shell: Server) -> None:
    before = menu(shell.pane())
    Path(shell("display", "-p", "#{pane_tty}").strip()).write_text(
        "\x1b[2J\x1b[5;5Hgarbage\x1b[?25h"
    )
    shell.wait_until(lambda text: "garbage" in text and "? help" not in text, "the damage")
    shell("send-keys", "-t", "main:0.0", "C-l")
    shell.wait_until(lambda text: menu(text) == before, "the screen as it was")
    assert shell("display", "-p", "#{cursor_flag}").strip() == "0"


def complete(text: str, columns: int, rows: int, epoch: int = 3) -> bool:
    """Tell whether `text` is the whole dashboard in a window of this size."""
    lines = text.splitlines()
    return (
        len(lines) >= rows
        and max(map(len, lines)) <= columns
        and f"epoch {epoch}/12" in lines[0]
        and f"best model saved, epoch {epoch}" in text
        and "images/s" in text
        and ("accuracy  " in text) == (columns >= 80)
        and any("┤" in line and line.rstrip()[-1] != "┤" for line in lines)
        and "? help  d leave" in lines[rows - 1]
    )


def test_the_dashboard_is_whole_after_detach_attach_and_split(
    server: Server, run: RunFolder
) -> None:
    with server.attach(100, 31) as first:
        # The last line of a terminal is that of tmux itself.
        first.wait_until(lambda: complete(first.text, 100, 30), "the dashboard", 30)
        server("detach-client")
        assert first.wait_exit(30) == 0
    with run.writer() as log:
        for event in epoch_events(4):
            log.write(event)
    server.wait_until(lambda text: complete(text, 100, 30, epoch=4), "the news, unseen")
    with server.attach(140, 45) as second:
        second.wait_until(lambda: complete(second.text, 140, 44, epoch=4), "the larger one", 30)
        server("split-window", "-h", "-t", "main:0.0", "sleep 300")
        server.wait_until(lambda text: complete(text, 70, 44, epoch=4), "its left half")
        second.wait_until(lambda: "│" in second.text.splitlines()[40], "both halves", 30)
        server("kill-pane", "-t", "main:0.1")
        second.wait_until(lambda: complete(second.text, 140, 44, epoch=4), "all of it again", 30)
