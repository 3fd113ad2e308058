"""A run outlives whoever started it, takes orders, and tells the truth when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.log import EventReader
from tests.core.conftest import ROOT, cli, write_dataset


@pytest.fixture
def living(tmp_path: Path) -> Iterator[RunFolder]:
    """A detached run with far more epochs than the test has time for."""
    data = write_dataset(tmp_path / "data", per_class=10)
    words = ["--image-size", 64, "--epochs", 5000, "--batch-size", 8, "--detach", "--json"]
    ran = cli("train", data, *words)
    assert ran.code == 0, ran.err
    run = RunFolder(Path(ran.objects[0]["run"]))
    yield run
    for pid in trainers(run):
        os.kill(pid, signal.SIGKILL)


def trainers(run: RunFolder) -> list[int]:
    lines = ((p.pid, p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))
    return [pid for pid, words in lines if str(run.path) in words]


def wait_for(
    run: RunFolder,
    kind: type[ev.Event],
    seconds: float = 120,
    after: type[ev.Event] = ev.RunStarted,
) -> ev.Event:
    """Return the first event of a kind that comes after one of the kind `after`."""
    reader = EventReader(run.path / "events.jsonl")
    end = time.monotonic() + seconds
    begun = kind is after
    while time.monotonic() < end:
        for event in reader.read():
            if begun and isinstance(event, kind):
                return event
            begun = begun or isinstance(event, after)
            assert not isinstance(event, ev.RunFailed), event
        time.sleep(0.05)
    raise AssertionError(f"no {kind.__name__} in {seconds} s")


def test_orders_are_taken_and_a_stop_keeps_the_best_model(living: RunFolder) -> None:
    wait_for(living, ev.EpochEnded)
    assert living.alive() and cli("runs", "--json").objects[0]["run"] == str(living.path)
    assert cli("pause", living.name).code == 0
    wait_for(living, ev.Paused)
    assert cli("runs", "--json").objects[0]["state"] == "paused"
    assert cli("go", living.path).code == 0
    wait_for(living, ev.Continued)
    assert cli("stop", living.config().data, "--now").code == 0
    ended = wait_for(living, ev.RunEnded)
    assert isinstance(ended, ev.RunEnded) and ended.best_epoch >= 1 and ended.epochs < 5000
    assert cli("info", ended.model).code == 0
    assert cli("watch", living.name).code == 0
    assert cli("stop", living.name).code == 2


def test_a_stop_before_the_first_step_leaves_the_older_model_alone(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", per_class=10)
    older = data / "alexnet.safetensors"
    older.write_bytes(b"an older model")
    words = ["--image-size", 64, "--epochs", 5000, "--detach", "--json"]
    run = RunFolder(Path(cli("train", data, *words).objects[0]["run"]))
    run.order("stop-now")
    watched = cli("watch", run.path)
    assert watched.code == 3 and "before its first step" in watched.err
    assert older.read_bytes() == b"an older model"


@pytest.fixture
def saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have trainers write checkpoints at once, not after a minute."""
    monkeypatch.setenv("ALEXNET_TUI_CHECKPOINT_SECONDS", "1")


def test_c092_a_killed_run_is_resumed_where_its_checkpoint_stands(
    saving: None, living: RunFolder
) -> None:
    wait_for(living, ev.Checkpointed)
    (pid,) = trainers(living)
    trainer = psutil.Process(pid)
    trainer.kill()
    psutil.wait_procs([trainer], timeout=60)
    assert cli("resume", living.name, "--detach").code == 0
    resumed = wait_for(living, ev.Resumed)
    assert isinstance(resumed, ev.Resumed) and resumed.step >= 1
    step = wait_for(living, ev.Step, after=ev.Resumed)
    assert isinstance(step, ev.Step) and step.step > resumed.step
    assert cli("runs", living.config().data, "--json").objects[0]["state"] == "training"


def test_c089_c092_c097_a_run_has_one_trainer_of_its_own_and_its_end_is_told(
    living: RunFolder,
) -> None:
    wait_for(living, ev.RunStarted)
    second = subprocess.run(
        [sys.executable, "-m", "core.worker", "train", str(living.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode != 0 and "already" in second.stderr
    (pid,) = trainers(living)
    # No terminal's hang-up can reach it.
    assert os.getsid(pid) == pid and psutil.Process(pid).terminal() is None

    wait_for(living, ev.Saved)
    os.kill(pid, signal.SIGKILL)
    watched = cli("watch", living.name)
    assert watched.code == 3
    assert "interrupted" in watched.err and str(living.model) in watched.err
    assert cli("info", living.path).code == 0
    assert cli("runs", living.config().data, "--json").objects[0]["state"] == "interrupted"


def test_c094_sigterm_saves_and_ends_the_run(living: RunFolder) -> None:
    wait_for(living, ev.EpochEnded)
    (pid,) = trainers(living)
    os.kill(pid, signal.SIGTERM)
    assert isinstance(wait_for(living, ev.RunEnded), ev.RunEnded)


def test_ctrl_c_on_a_watched_training_ends_it_with_its_model(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", per_class=10)
    words = ["train", str(data), "--image-size", "64", "--epochs", "5000", "--batch-size", "8"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_tui.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job, as tests may be one, hands down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "stopping" in err and "Traceback" not in err
    assert cli("info", data).code == 0
