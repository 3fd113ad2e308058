"""A crew gives every result in order, and loses no more than the item that kills or stalls a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import psutil
import pytest

from core.dataset.crew import Crew
from core.errors import RunFailedError

ITEMS = [str(number) for number in range(500)]


def nothing() -> None: ...


def doubled(items: Sequence[str], bad: frozenset[int] = frozenset()) -> list[int]:
    if bad & set(map(int, items)):
        os.kill(os.getpid(), signal.SIGKILL)
    return [2 * int(item) for item in items]


def stalling(items: Sequence[str], bad: frozenset[int]) -> list[int]:
    if bad & set(map(int, items)):
        signal.pause()
    return [2 * int(item) for item in items]


def large(items: Sequence[str]) -> list[bytes]:
    return [bytes(300_000) for _ in items]


def large_then_dead(items: Sequence[str], bad: str) -> list[bytes]:
    """Die while the answer to an earlier chunk is on its way through the pipe."""
    if bad in items:
        os._exit(1)
    return large(items)


def lost(item: str) -> int:
    return -int(item)


def results(
    *bad: int, work: object = doubled, seconds: tuple[float, float] = (60, 10)
) -> list[int]:
    with Crew(nothing, False, *seconds) as workers:
        assert callable(work)
        return list(workers.map(work, ITEMS, (frozenset(bad),), lost))


def test_results_come_in_order() -> None:
    assert results() == [2 * int(item) for item in ITEMS]
    with Crew(nothing, forked=False) as workers:
        assert list(workers.map(doubled, [], (), lost)) == []


@pytest.mark.timeout(60)
def test_items_that_kill_their_worker_are_lost_alone() -> None:
    bad = (0, 31, 32, 250, 251, 499)
    assert results(*bad) == [-item if item in bad else 2 * item for item in range(500)]


@pytest.mark.timeout(60)
def test_items_that_stall_their_worker_are_lost_alone() -> None:
    wanted = [-item if item == 77 else 2 * item for item in range(500)]
    assert results(77, work=stalling, seconds=(5.0, 2.0)) == wanted


@pytest.mark.timeout(60)
def test_long_items_and_large_answers_do_not_wait_for_each_other() -> None:
    long = [f"{number}" + "x" * 7500 for number in range(300)]
    with Crew(nothing, forked=False) as workers:
        assert len(list(workers.map(large, long, (), lambda item: b""))) == 300


@pytest.mark.timeout(60)
def test_a_worker_that_dies_in_the_middle_of_an_answer_is_not_waited_for() -> None:
    with Crew(nothing, forked=False) as workers:
        got = list(workers.map(large_then_dead, ITEMS[:200], ("150",), lambda item: b""))
    assert [len(answer) for answer in got] == [0 if i == 150 else 300_000 for i in range(200)]


@pytest.mark.timeout(60)
def test_leaving_in_the_middle_leaves_nobody_behind() -> None:
    with Crew(nothing, forked=False) as workers:
        answers = workers.map(large, ITEMS, (), lambda item: b"")
        assert len(next(answers)) == 300_000
        started = [worker.process.pid for worker in workers._workers]
    assert not any(psutil.pid_exists(pid) for pid in started)


def stillborn() -> None:
    os._exit(1)


def test_processes_that_never_start_are_not_started_for_every_item() -> None:
    with Crew(stillborn, forked=True) as workers, pytest.raises(RunFailedError):
        list(workers.map(doubled, ITEMS, (), lost))
