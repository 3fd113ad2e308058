"""A run that was made for a launcher, which may stand in a queue for hours."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from core.config import TrainConfig
from core.engine import Engine
from core.errors import UserError
from core.runs.deleting import delete
from core.runs.folder import RunFolder
from core.runs.listing import Listing
from core.runs.resuming import check_obeying, check_resumable
from tests.core.conftest import cli, write_dataset
from tests.core.test_resumable import FAILED
from tests.core.test_snapshot import STARTED


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))


def made(data: Path, prepared: bool = True) -> RunFolder:
    """Return a run that nobody has begun, made long ago."""
    run = RunFolder.create(TrainConfig(data=str(data)), prepared=prepared)
    os.utime(run.path / "config.json", (1e9, 1e9))
    return run


def test_it_is_prepared_until_it_is_begun_and_one_of_ours_that_never_came_up_is_interrupted(
    tmp_path: Path,
) -> None:
    run, other, listing = made(tmp_path), made(tmp_path, prepared=False), Listing()
    states = {one.name: one.state for one in listing.summaries()}
    assert states == {run.name: "prepared", other.name: "interrupted"}
    assert not run.alive() and run.awaited() and not other.awaited()
    assert run.results().state == "prepared" and other.results().state == "interrupted"
    with run.lock(), run.writer() as log:
        assert run.alive() and not run.awaited()
    # Killed before it said a word.
    assert run.summary().state == run.results().state == "interrupted"
    with run.lock(), run.writer() as log:
        log.write(STARTED)
        states = {one.name: one.state for one in listing.summaries()}
        assert states[run.name] == "preparing"
    assert not run.awaited()
    assert {one.state for one in listing.summaries()} == {"interrupted"}


def test_it_can_be_begun_here_or_deleted_and_takes_no_orders(tmp_path: Path) -> None:
    run = made(tmp_path)
    check_resumable(run)
    with pytest.raises(UserError, match="is not being trained"):
        check_obeying(run)
    assert delete(run) > 0 and not run.path.exists()


async def test_who_watches_waits_until_it_has_begun_and_ended(tmp_path: Path) -> None:
    run = made(tmp_path)
    states, told = [], []

    async def watch() -> None:
        async for sight in Engine().watch(run):
            states.append((sight.snapshot.state, sight.alive))  # noqa: PERF401  # as they come

    async def follow() -> None:
        async for update in Engine().follow(run):
            told.extend(update.events)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        watching, following = tasks.create_task(watch()), tasks.create_task(follow())
        while not states:
            await asyncio.sleep(0.05)
        assert states == [("prepared", False)] and not told
        with run.lock(), run.writer() as log:
            log.write(STARTED)
            while ("preparing", True) not in states:
                await asyncio.sleep(0.05)
            assert not watching.done() and not following.done()
            log.write(FAILED)
    assert states[-1][0] == "failed"
    assert [type(event) for event in told] == [type(STARTED), type(FAILED)]


def test_settings_of_before_say_nothing_of_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    path = run.path / "config.json"
    written = msgspec.json.decode(path.read_bytes())
    assert written.pop("prepared") is True
    path.write_bytes(msgspec.json.encode(written))
    assert not run.awaited() and not run.created().prepared


def test_the_command_line_tells_it(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    done = cli("train", data, "--epochs", 1, "--image-size", 64, "--prepare")
    assert done.code == 0, done.err
    (listed,) = cli("runs", data, "--json").objects
    assert listed["state"] == "prepared" and listed["run"] == done.out.strip()
