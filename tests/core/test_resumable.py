"""Which runs may go on, with which pictures, and that nobody takes an earlier end for the last."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.config import TrainConfig
from core.dataset.intake import Intake, Plan, take_in
from core.engine import Engine
from core.errors import NotANumberError, RunFailedError, UserError
from core.processes import worker_command
from core.runs import events as ev
from core.runs.checkpoints import WRITING
from core.runs.folder import RunFolder
from core.runs.orders import Order, OrderReader
from core.training.learner import Origin
from core.training.resuming import check_origin, known_pictures
from core.training.run import Commands
from core.worker import train
from tests.core.conftest import ROOT, picture
from tests.core.test_snapshot import STARTED, TRAINING, step

FAILED = ev.RunFailed(run="r", title="No.", hint="Go.")
RESUMED = ev.Resumed(run="r", epoch=1, step=3)
ORDERS: tuple[Order, ...] = ("go", "pause", "stop", "stop-now")


def ended(epochs: int) -> ev.RunEnded:
    return ev.RunEnded(
        run="r",
        model="m",
        seconds=1.0,
        images_per_second=1.0,
        epochs=epochs,
        best_epoch=1,
        validation=ev.Accuracy(accuracy=0.5),
        test=ev.Interval(accuracy=0.5, low=0.4, high=0.6, n=10),
    )


def a_run(data: Path, *events: ev.Event) -> RunFolder:
    run = RunFolder.create(TrainConfig(data=str(data), epochs=4))
    with run.writer() as log:
        for event in events:
            log.write(event)
    return run


async def followed(run: RunFolder, skip: int = 0) -> list[ev.AnyEvent]:
    return [event async for update in Engine().follow(run, skip) for event in update.events]


@pytest.mark.parametrize("chunk", [1, 1 << 18])
async def test_a_follower_does_not_take_an_earlier_end_for_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    # Small enough that the earlier end is the last event of what is read at once.
    monkeypatch.setattr("core.runs.log.CHUNK_BYTES", chunk)
    events = [STARTED, FAILED, RESUMED, STARTED, step(4), ended(2), RESUMED, STARTED, ended(4)]
    run = a_run(tmp_path, *events)
    assert await followed(run) == events
    assert await followed(run, skip=2) == events[2:]
    assert run.count_events() == len(events)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([STARTED, TRAINING, ended(4)], "is finished: nothing is left"),
        ([STARTED, TRAINING, ended(2)], "has kept nothing to go on from"),
    ],
)
async def test_a_run_with_nothing_to_do_is_not_resumed(
    tmp_path: Path, events: list[ev.Event], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        await Engine().resume(a_run(tmp_path, *events))
    assert said in refused.value.title and "--weights" in refused.value.hint


async def test_a_run_whose_data_folder_is_gone_says_so(tmp_path: Path) -> None:
    run = a_run(tmp_path / "gone", STARTED, TRAINING)
    with pytest.raises(UserError, match="there is no folder at"):
        await Engine().resume(run)


async def test_a_run_that_is_being_trained_is_not_trained_twice(tmp_path: Path) -> None:
    run = a_run(tmp_path, STARTED, TRAINING, FAILED)
    with run.lock(), pytest.raises(UserError, match="is being trained already"):
        await Engine().resume(run)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (ev.Stopping(epoch=1, reason="stop"), "is being stopped already"),
        (ev.Preparing(stage="certify", done=0, total=1), "has trained and is evaluated"),
    ],
)
async def test_a_run_that_takes_no_more_orders_says_so(
    tmp_path: Path, last: ev.Event, said: str
) -> None:
    run = a_run(tmp_path, STARTED, TRAINING, step(1), last)
    with run.lock():
        for order in ORDERS:
            with pytest.raises(UserError) as refused:
                await Engine().order(run, order)
            assert said in refused.value.title and f"watch {run.name}" in refused.value.hint
    assert run.orders().newest() is None


async def test_a_training_run_is_ordered_about(tmp_path: Path) -> None:
    events: list[ev.Event] = [STARTED, TRAINING, step(1)]
    # One that is being resumed still has its earlier end in its log.
    for run in (a_run(tmp_path, *events), a_run(tmp_path, *events, ended(2))):
        with run.lock():
            for order in ORDERS:
                await Engine().order(run, order)
                assert run.orders().newest() == order


@pytest.mark.parametrize(
    ("events", "step_next"),
    [([STARTED, TRAINING, step(1)], "resume"), ([STARTED, TRAINING, ended(4)], "watch")],
)
async def test_an_order_to_a_dead_run_names_the_next_step(
    tmp_path: Path, events: list[ev.Event], step_next: str
) -> None:
    run = a_run(tmp_path, *events)
    with pytest.raises(UserError, match="is not being trained") as refused:
        await Engine().order(run, "pause")
    assert refused.value.hint.endswith(f": run_tui.py {step_next} {run.name}")


async def test_c102_a_run_of_a_newer_version_is_watched_but_not_gone_on_with(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path, STARTED, TRAINING, step(1))
    settings = run.path / "config.json"
    settings.write_text(settings.read_text().replace('"split":', '"mixup":0.2,"split":'))
    assert RunFolder.find(run.name).summary().state == "interrupted"
    assert await followed(run) == [STARTED, TRAINING, step(1)]
    with pytest.raises(UserError, match=r"newer version of this program, with mixup"):
        await Engine().resume(run)


def intake(data: Path) -> Intake:
    plan = Plan(split=80, seed=0)
    return take_in(data, 64, plan, lambda met: None, lambda done, total: None)


def test_c018_a_run_goes_on_with_its_own_pictures_or_not_at_all(dataset: Path) -> None:
    before = intake(dataset).dealt.manifest
    split, said = before.encoded(), list[ev.Event]()
    assert known_pictures(split, intake(dataset), said.append) == before and not said
    picture(0, seed=99).save(dataset / "high" / "new.png")
    assert known_pictures(split, intake(dataset), said.append) == before
    (note,) = said
    assert isinstance(note, ev.Note) and note.text.startswith("1 picture is new since")
    picture(1, seed=98).save(dataset / "low" / "003.png")
    with pytest.raises(RunFailedError, match=r"1 picture of this run is gone or changed.*low/003"):
        known_pictures(split, intake(dataset), said.append)


ORIGIN = Origin(
    device="CPU",
    precision="fp32",
    versions={"torch": "2.1"},
    split_hash="h",
    channels=1,
    stored_size=64,
)


def test_c067_another_machine_or_version_is_told_and_other_input_refused() -> None:
    said: list[ev.Event] = []
    check_origin(ORIGIN, ORIGIN, False, said.append)
    assert not said
    other = replace(ORIGIN, device="H100", precision="bf16", versions={"torch": "2.2"})
    check_origin(ORIGIN, other, True, said.append)
    (note,) = said
    assert isinstance(note, ev.Note)
    for words in ("CPU then, H100 now", "fp32 then, bf16 now", "torch 2.1 then, 2.2 now"):
        assert words in note.text
    colour = replace(ORIGIN, channels=3)
    with pytest.raises(RunFailedError, match="in colour or gray"):
        check_origin(ORIGIN, colour, False, said.append)


def test_c070_a_full_disk_says_that_the_run_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    run = a_run(tmp_path, STARTED)
    monkeypatch.setattr("core.worker._train", full)
    assert train(str(run.path)) == 3
    failed = run.reader().read()[-1]
    assert isinstance(failed, ev.RunFailed)
    assert failed.title == "Training failed: No space left on device."
    assert f"resume {run.name}" in failed.hint


def test_the_end_waits_for_the_checkpoint_and_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, over = threading.Event(), threading.Event()

    def write() -> None:
        time.sleep(0.2)
        written.set()

    def fails(*_: object) -> None:
        threading.Thread(target=write, name=WRITING).start()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.worker._train", fails)
    idle = threading.Thread(target=over.wait)
    idle.start()
    try:
        assert train(str(a_run(tmp_path, STARTED).path)) == 3
        assert written.is_set()
        assert idle.is_alive()
    finally:
        over.set()


def test_c106_a_run_whose_loss_is_no_number_is_trained_once_more_and_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    commands = set()

    def execute(*given: object, slower: float = 1.0) -> None:
        rates.append(slower)
        commands.add(next(one for one in given if isinstance(one, Commands)))
        raise NotANumberError(step=812)

    monkeypatch.setattr("core.training.run.execute", execute)
    monkeypatch.setattr("core.training.run.signal.signal", lambda *_: None)
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    assert train(str(run.path)) == 3
    assert rates == [1.0, 0.1]
    assert len(commands) == 1, "an order to the first is one to the second"
    note, resumed, failed = run.reader().read()
    assert isinstance(note, ev.Note) and "from the start, at a tenth" in note.text
    assert isinstance(resumed, ev.Resumed) and resumed.step == 0
    assert isinstance(failed, ev.RunFailed) and "not a number since step 812" in failed.title


def test_a_time_limit_is_an_order_to_stop_that_others_overrule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.run.signal.signal", lambda *_: None)
    control = tmp_path / "control"
    commands, now = Commands(OrderReader(control), minutes=2), time.monotonic()
    assert commands.newest() is None
    monkeypatch.setattr("core.training.run.time.monotonic", lambda: now + 121)
    assert commands.newest() == "time"
    for given, taken in (("pause", "pause"), ("go", "time"), ("stop-now", "stop-now")):
        control.write_text(given)
        os.utime(control, ns=(0, hash(given) % 10**9))
        assert commands.newest() == taken


def test_whoever_cannot_have_the_run_says_so_and_leaves_it_alone(tmp_path: Path) -> None:
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    for path in (run.path, tmp_path / "none"):
        with run.lock():
            done = subprocess.run(
                worker_command("train", str(path)), cwd=ROOT, capture_output=True, text=True
            )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 2
    assert run.count_events() == 0 and not (tmp_path / "none").exists()
