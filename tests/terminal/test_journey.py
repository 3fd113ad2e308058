"""The whole road in the real program on a real terminal: train, lose the line, come back, classify."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.runs.folder import RunFolder
from tests.core.conftest import write_dataset
from tests.terminal.harness import Terminal, python

ENTER, TAB, ESCAPE, F2, F5 = "\r", "\t", "\x1b", "\x1bOQ", "\x1b[15~"
LONG = 90
Open = Callable[..., Terminal]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set with a name that is easy to find on a screen."""
    return write_dataset(tmp_path / "skies", per_class=12)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """A runs folder of this test's own; whoever still trains there at the end is stopped."""
    root = tmp_path / "runs"
    yield root
    for process in trainers(root):
        process.kill()


@pytest.fixture
def opened(tmp_path: Path, runs: Path, data: Path) -> Iterator[Open]:
    """Opens the app, on the data folder, in a terminal of its own."""
    terminals: list[Terminal] = []
    environment = {
        "ALEXNET_TUI_RUNS": str(runs),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }

    def open_app(*words: str, columns: int = 80, rows: int = 24) -> Terminal:
        command = python("run_tui.py", "--at", str(data), *words)
        terminals.append(Terminal(command, columns=columns, rows=rows, environment=environment))
        return terminals[-1]

    yield open_app
    for terminal in terminals:
        terminal.__exit__(None, None, None)


def trainers(root: Path) -> list[psutil.Process]:
    """Return the processes that train a run below `root`."""
    living = ((p, p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))
    return [p for p, words in living if any(str(root) in word for word in words)]


def start_training(terminal: Terminal, epochs: int) -> None:
    """Go from Home to a dashboard by the keys that a person would press."""
    terminal.wait_for("Train a model")
    terminal.send("1")
    terminal.wait_for("24 pictures in 2 classes")
    terminal.send("t")
    terminal.wait_for("Start training")
    terminal.wait_for("all             18")
    terminal.send(F2)
    terminal.wait_for("Image size")
    for value in ("80", str(epochs), "", "64", "8"):
        if value:
            terminal.send(value)
            terminal.wait_for(value)
        terminal.send(TAB)
    terminal.wait_for("--batch-size 8")
    assert f"--epochs {epochs}" in " ".join(terminal.text.split())
    terminal.send(F5)
    wait_for_epoch(terminal, 1)


def wait_for_epoch(terminal: Terminal, least: int) -> None:
    """Wait until this epoch or a later one is shown: an epoch may be over before it has been seen."""

    def reached() -> bool:
        shown = re.search(r"epoch (\d+)/", terminal.text)
        return shown is not None and int(shown[1]) >= least

    terminal.wait_until(reached, f"epoch {least}", LONG)


def only_run(root: Path) -> RunFolder:
    (path,) = root.iterdir()
    return RunFolder(path)


def test_train_watch_and_classify_by_keyboard_alone(opened: Open, runs: Path, data: Path) -> None:
    terminal = opened()
    start_training(terminal, epochs=2)
    terminal.wait_for("model written", LONG)
    assert (data / "alexnet.safetensors").exists()
    terminal.send(ENTER)
    terminal.wait_for("URL")
    terminal.send(f"{data}/high/001.png{ENTER}")
    terminal.wait_for(" ms", LONG)
    for word in ("high", "low", "%"):
        terminal.wait_for(word)
    terminal.send(f"{data}/none.png{ENTER}")
    terminal.wait_for("No such file")
    terminal.kill(signal.SIGTERM)
    assert terminal.wait_exit() == 143
    assert not terminal.problems()
    assert not psutil.wait_procs(trainers(runs), LONG)[1], "somebody was left behind"


def watched_again(opened: Open, runs: Path) -> Terminal:
    """Open the app anew, watch the run that lives, and see it go on, with charts from its start."""
    terminal = opened()
    terminal.wait_for("running now")
    before = only_run(runs).summary().epoch
    terminal.send(ENTER)
    terminal.wait_for("training on CPU")
    terminal.wait_until(lambda: only_run(runs).summary().epoch > before, "more epochs", LONG)
    terminal.wait_until(lambda: "loss " in terminal.text and "┤" in terminal.text, "charts")
    return terminal


def test_c089_training_outlives_the_terminal_and_is_found_again(opened: Open, runs: Path) -> None:
    """One training: its terminal is left, hung up and killed in turn, then it is killed itself."""
    terminal = opened()
    start_training(terminal, epochs=3000)
    terminal.wait_for("train  ", LONG)
    (trainer,) = trainers(runs)

    terminal.send("d")
    terminal.wait_for("running now")
    terminal.send("q")
    assert terminal.wait_exit() == 0
    assert not terminal.problems()
    terminal = watched_again(opened, runs)

    terminal.hang_up()
    terminal.wait_exit_unread()
    terminal = watched_again(opened, runs)

    # What was started is the launcher, and what it started is the app.
    psutil.Process(terminal.process.pid).children()[0].kill()
    assert terminal.wait_exit() == 137
    assert not terminal.problems()
    terminal = watched_again(opened, runs)
    assert trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE

    os.kill(trainer.pid, signal.SIGKILL)
    terminal.wait_for("interrupted", LONG)


def test_stop_asks_and_keeps_the_model(opened: Open, runs: Path, data: Path) -> None:
    terminal = opened("--ascii", columns=120, rows=40)
    start_training(terminal, epochs=3000)
    wait_for_epoch(terminal, 2)
    terminal.send("s")
    terminal.wait_for("keep the best model")
    terminal.send("n")
    terminal.wait_for("model written", LONG)
    assert (data / "alexnet.safetensors").exists()
    assert terminal.text.isascii()
