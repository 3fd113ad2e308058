"""Several processes train as one does, speak with one voice, and none is left when one of them ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import safetensors.torch
import torch

from core import costs, lifeline, machine
from core.config import TrainConfig
from core.errors import UserError
from core.lifeline import FirstRank, Place, Word
from core.processes import PLACE, how_it_died, worker_environment
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.log import EventReader
from core.training.ranks import ALONE, _SharedOrders
from tests.core.conftest import ROOT, cli, write_dataset
from tests.core.rank_trainings import STOP_AT, Orders, trained
from tests.core.test_living_runs import trainers, wait_for

WORDS = ["--image-size", 64, "--batch-size", 8, "--device", "cpu"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of a test, which do not outlive it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two gloo ranks have come to."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.core.rank_trainings", str(folder)]
    ranks = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | environment(rank, port))
        for rank in range(2)
    ]
    try:
        assert [rank.wait(150) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    return folder


def environment(rank: int, port: int) -> dict[str, str]:
    """Return what torchrun tells one of two ranks."""
    values = (rank, 2, rank, 2, "127.0.0.1", port)
    told = dict(zip(PLACE, map(str, values), strict=True))
    return told | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def weights(folder: Path, rank: int, name: str) -> dict[str, torch.Tensor]:
    found = safetensors.torch.load_file(folder / f"{rank}.safetensors")
    return {
        key.removeprefix(f"{name}."): tensor
        for key, tensor in found.items()
        if key.startswith(f"{name}.")
    }


def said(folder: Path, rank: int, name: str) -> list[Any]:
    lines = (folder / f"{rank}.txt").read_text().splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def events(folder: Path, rank: int, name: str) -> list[Any]:
    return [ev.decode(line) for line in said(folder, rank, name)]


def test_two_ranks_learn_what_one_process_learns(two_ranks: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    alone, told = trained(ALONE, tmp_path / "none")
    for rank in range(2):
        shared = weights(two_ranks, rank, "whole")
        assert shared.keys() == alone.keys()
        largest = max(float((shared[key] - alone[key]).abs().max()) for key in alone)
        assert largest < 1e-6
    # What is said of an epoch is said of all pictures, whoever has seen them.
    of_one = [event for event in told if isinstance(event, ev.EpochEnded)]
    of_two = [e for e in events(two_ranks, 0, "whole") if isinstance(e, ev.EpochEnded)]
    assert len(of_one) == len(of_two) == 3
    for one, two in zip(of_one, of_two, strict=True):
        assert two.step == one.step and two.accuracy == pytest.approx(one.accuracy)
        assert two.loss == pytest.approx(one.loss, abs=1e-5)
        assert two.validation_loss == pytest.approx(one.validation_loss, abs=1e-5)


def test_both_ranks_have_the_same_weights_to_the_last_bit(two_ranks: Path) -> None:
    for name in ("whole", "dropout", "stopped", "resumed", "patient"):
        one, two = weights(two_ranks, 0, name), weights(two_ranks, 1, name)
        assert one and all(torch.equal(one[key], two[key]) for key in one)


def test_orders_and_patience_end_all_ranks_at_the_same_step(two_ranks: Path) -> None:
    (saved,) = [e for e in events(two_ranks, 0, "stopped") if isinstance(e, ev.Checkpointed)]
    kinds = [type(event) for event in events(two_ranks, 0, "stopped")]
    assert ev.Paused in kinds and ev.Continued in kinds and ev.Stopping in kinds
    assert saved.step == STOP_AT
    # The other rank has nothing to save, to report, or to validate.
    assert not any(
        isinstance(event, ev.Checkpointed | ev.Step | ev.EpochEnded)
        for name in ("whole", "stopped", "patient")
        for event in events(two_ranks, 1, name)
    )
    for rank in range(2):
        (stopping,) = [e for e in events(two_ranks, rank, "patient") if isinstance(e, ev.Stopping)]
        assert (stopping.reason, stopping.epoch) == ("patience", 3)


def test_orders_are_not_put_off_by_being_asked_for_twice_at_once() -> None:
    group: Any = None
    orders = _SharedOrders(Orders(), group, leads=True)
    assert orders._until_next(None) <= 1
    assert orders._until_next("pause") == 0
    orders._apart, orders._met = 9, time.monotonic() - 30
    assert orders._until_next(None) == 0
    orders._apart, orders._met = 49, time.monotonic() - 0.2
    assert 20 < orders._until_next(None) <= 50


def test_what_two_ranks_drop_is_the_same_after_a_break(two_ranks: Path) -> None:
    unbroken = weights(two_ranks, 0, "dropout")
    resumed = weights(two_ranks, 0, "resumed")
    assert all(torch.equal(unbroken[key], resumed[key]) for key in unbroken)
    assert any(
        not torch.equal(weights(two_ranks, 0, "whole")[key], unbroken[key]) for key in unbroken
    )


def test_what_cannot_be_shared_is_refused_and_one_works_after_the_other(two_ranks: Path) -> None:
    few = "A step with 1 pictures cannot be shared by 2 processes."
    assert said(two_ranks, 0, "refused") == [few]
    assert [line[:20] for line in said(two_ranks, 1, "refused")] == [
        few[:20],
        "It has not the pictu",
    ]
    first, second = (float(said(two_ranks, rank, "turn")[0]) for rank in range(2))
    assert first < second


@pytest.mark.timeout(400)
def test_a_rank_that_is_killed_ends_the_run_by_name_and_a_killed_launcher_all(
    tmp_path: Path,
) -> None:
    data = write_dataset(tmp_path / "data", per_class=10)
    words = [*WORDS, "--epochs", 5000, "--gpus", 2, "--detach", "--json"]
    ran = cli("train", data, *words, env={"ALEXNET_TUI_CHECKPOINT_SECONDS": "1"})
    assert ran.code == 0, ran.err
    run = RunFolder(Path(ran.objects[0]["run"]))
    try:
        begun = wait_for(run, ev.RunStarted)
        assert isinstance(begun, ev.RunStarted) and begun.device_name.startswith("2 × CPU")
        wait_for(run, ev.Checkpointed)
        (other,) = [pid for pid in trainers(run) if pid != begun.pid]
        os.kill(other, signal.SIGKILL)
        last = last_word(run, within=10)
        assert "Rank 1 has ended: killed" in last.title and f"resume {run.name}" in last.hint

        # A checkpoint that is being written is finished first.
        gone(run, within=60)

        ran = cli("resume", run.path, "--detach", env={"ALEXNET_TUI_CHECKPOINT_SECONDS": "1"})
        assert ran.code == 0, ran.err
        step = first_step_again(run)
        assert len(trainers(run)) == 2
        (again,) = [event for event in run.past_events() if isinstance(event, ev.Resumed)]
        assert step > again.step > 0
        first = [e for e in run.past_events() if isinstance(e, ev.RunStarted)][-1].pid
        os.kill(first, signal.SIGKILL)
        gone(run, within=5)
        assert not run.alive() and run.summary().state == "interrupted"
    finally:
        for pid in trainers(run):
            os.kill(pid, signal.SIGKILL)


def first_step_again(run: RunFolder, seconds: float = 120) -> int:
    """Return the first step that is told after the run was resumed."""
    reader, end, resumed = EventReader(run.path / "events.jsonl"), time.monotonic() + seconds, False
    while time.monotonic() < end:
        for event in reader.read():
            resumed = resumed or isinstance(event, ev.Resumed)
            if resumed and isinstance(event, ev.Step):
                return event.step
        time.sleep(0.05)
    raise AssertionError("no step")


def last_word(run: RunFolder, within: float) -> ev.RunFailed:
    """Return how the run has failed, as soon as it says so."""
    end = time.monotonic() + within
    while True:
        failed = [event for event in run.past_events() if isinstance(event, ev.RunFailed)]
        if failed:
            return failed[-1]
        assert time.monotonic() < end
        time.sleep(0.05)


def gone(run: RunFolder, within: float) -> None:
    """Wait until no process of the run is left, nor its lock held by one whose memory is being freed."""
    end = time.monotonic() + within
    while (left := trainers(run)) or run.alive():
        assert time.monotonic() < end, left
        time.sleep(0.05)


@pytest.mark.timeout(400)
def test_torchrun_trains_with_the_same_worker_and_takes_all_with_it(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    data = write_dataset(tmp_path / "data", per_class=10)
    prepared = cli("train", data, *WORDS, "--epochs", 1, "--prepare")
    assert prepared.code == 0, prepared.err
    run = RunFolder(Path(prepared.out.strip()))
    assert not run.has_begun()
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *words, "-m", "core.worker", "train", str(run.path)]

    def launch() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(command, cwd="/", env=worker_environment()))
        return started[-1]

    first = launch()
    end = time.monotonic() + 120
    # Each ties itself to its launcher before it loads torch.
    while sum(map(has_torch, trainers(run))) < 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    first.kill()
    first.wait()
    gone(run, within=5)

    assert launch().wait(150) == 0
    told = list(run.past_events())
    assert isinstance(told[-1], ev.RunEnded) and told[-1].epochs == 1
    # The launch that was killed had not said a word yet.
    kinds = [type(event) for event in told]
    assert kinds.count(ev.RunStarted) == kinds.count(ev.Resumed) == kinds.count(ev.EpochEnded) == 1
    (certified,) = [event for event in told if isinstance(event, ev.Certified)]
    assert certified.passed
    gone(run, within=5)


def has_torch(pid: int) -> bool:
    """Tell whether a process has begun to load torch."""
    try:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def here(rank: int) -> Place:
    return Place(rank=rank, size=2, local_rank=rank, local_size=2)


def not_expected(error: UserError) -> None:
    raise AssertionError(error.title)


def in_another_process(code: str, line: FirstRank) -> subprocess.Popen[bytes]:
    """Run `code` as rank 1, tied to `line`."""
    head = (
        "from core.lifeline import *\n"
        "with OtherRank(Place(rank=1, size=2)) as line:\n"
        f"  line.tie({line.port}, {line.token})\n  "
    )
    return subprocess.Popen([sys.executable, "-c", head + code], cwd=ROOT)


def test_a_failed_rank_is_named_also_while_the_first_one_hangs(
    started: list[subprocess.Popen[bytes]],
) -> None:
    told: list[UserError] = []
    over = threading.Event()

    def give_up(error: UserError) -> None:
        told.append(error)
        over.set()
        line.release()

    with FirstRank(here(0), [], give_up, "what to do") as line:
        started.append(in_another_process("raise UserError('There is none.', 'Buy one.')", line))
        assert over.wait(30)
        assert started[0].wait(10) == 0
    (error,) = told[:1]
    assert error.title == f"Rank 1 on {machine.host_name()}: There is none."
    assert (error.hint, error.exit_code) == ("Buy one.", 2)


def test_an_error_that_a_lost_rank_has_led_to_tells_of_that_rank(
    started: list[subprocess.Popen[bytes]],
) -> None:
    with (
        pytest.raises(UserError, match=r"Rank 1 on .* has ended: without a word\."),
        FirstRank(here(0), [], not_expected, "what to do") as line,
    ):
        started.append(in_another_process("import os; os.kill(os.getpid(), 9)", line))
        started[0].wait(30)
        raise RuntimeError("Connection closed by peer")
    # One's own word goes before that of the others.
    with (
        pytest.raises(UserError, match="mine"),
        FirstRank(here(0), [], not_expected, "what to do") as line,
    ):
        started.append(in_another_process("raise UserError('theirs', '')", line))
        time.sleep(1)
        raise UserError("mine", "")


def test_strangers_and_nonsense_on_the_line_are_not_heard() -> None:
    with FirstRank(here(0), [], not_expected, "") as line:
        for word in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, stranger(line)):
            with socket.create_connection(("127.0.0.1", line.port)) as other:
                other.sendall(word)
                # Whoever talks nonsense is left.
                other.settimeout(10)
                other.shutdown(socket.SHUT_WR)
                with suppress(ConnectionResetError):
                    assert other.recv(1) == b""


def stranger(line: FirstRank) -> bytes:
    word = Word(token=line.token ^ 1, rank=1, host="h", state="failed", title="no", hint="")
    return msgspec.json.encode(word) + b"\n"


def test_a_rank_ends_with_the_first(started: list[subprocess.Popen[bytes]]) -> None:
    with FirstRank(here(0), [], not_expected, "") as line:
        started.append(in_another_process("import time; print(flush=True); time.sleep(60)", line))
        time.sleep(2)
        line.release()
    assert started[0].wait(10) in (0, 1)


def test_a_count_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, dataset: Path) -> None:
    with pytest.raises(UserError, match="one GPU, and GPUs says 2"):
        TrainConfig(data="d", device="cuda:1", gpus=2).check()
    machine.check_gpus("cpu", 2)
    machine.check_gpus("auto", 1)
    for there, said in ((0, "No usable GPU"), (1, "This machine has 1 usable GPU, not 2.")):
        gpus = [machine.Device(name="H100", is_gpu=True)] * there
        monkeypatch.setattr(machine, "gpus", lambda gpus=gpus: gpus)
        with pytest.raises(UserError, match=said):
            machine.check_gpus("auto", 2)
    two = [machine.Device(name="H100", is_gpu=True)] * 2
    monkeypatch.setattr(machine, "gpus", lambda: two)
    both, second = TrainConfig(data="d", gpus=2), TrainConfig(data="d", device="cuda:1")
    assert costs.same_device(both, second)
    assert not costs.same_device(TrainConfig(data="d"), second)


def test_nobody_that_is_started_takes_itself_for_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lifeline.place() is None
    for name, value in environment(1, 29500).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert lifeline.place() == Place(
        rank=1, size=2, local_rank=1, local_size=2, address="127.0.0.1"
    )
    left = worker_environment()
    assert not set(PLACE) & set(left) and "TORCHELASTIC_RUN_ID" not in left
    assert how_it_died(-15) == "killed by signal 15" and how_it_died(1) == "exit code 1"
