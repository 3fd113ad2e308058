"""A crew gives every result in order, and loses no more than the item that kills or stalls a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import psutil
import pytest

from core.dataset import crew
from core.dataset.crew import Crew

ITEMS = list(range(500))


def nothing() -> None: ...


def doubled(items: Sequence[int], bad: frozenset[int] = frozenset()) -> list[int]:
    if bad & set(items):
        os.kill(os.getpid(), signal.SIGKILL)
    return [2 * item for item in items]


def stalling(items: Sequence[int], bad: frozenset[int]) -> list[int]:
    if bad & set(items):
        signal.pause()
    return [2 * item for item in items]


def large(items: Sequence[int]) -> list[bytes]:
    return [bytes(300_000) for _ in items]


def large_then_dead(items: Sequence[int], bad: int) -> list[bytes]:
    """Die while the answer to an earlier chunk is on its way through the pipe."""
    if bad in items:
        os._exit(1)
    return large(items)


def lost(item: int) -> int:
    return -item


def results(*bad: int, work: object = doubled) -> list[int]:
    with Crew(nothing, forked=False) as workers:
        assert callable(work)
        return list(workers.map(work, ITEMS, (frozenset(bad),), lost))


def test_results_come_in_order() -> None:
    assert results() == [2 * item for item in ITEMS]
    with Crew(nothing, forked=False) as workers:
        assert list(workers.map(doubled, [], (), lost)) == []


@pytest.mark.timeout(60)
def test_items_that_kill_their_worker_are_lost_alone() -> None:
    bad = (0, 31, 32, 250, 251, 499)
    assert results(*bad) == [-item if item in bad else 2 * item for item in ITEMS]


@pytest.mark.timeout(60)
def test_items_that_stall_their_worker_are_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "CHUNK_SECONDS", 5.0)
    monkeypatch.setattr(crew, "ITEM_SECONDS", 2.0)
    wanted = [-item if item == 77 else 2 * item for item in ITEMS]
    assert results(77, work=stalling) == wanted


@pytest.mark.timeout(60)
def test_a_worker_that_dies_in_the_middle_of_an_answer_is_not_waited_for() -> None:
    with Crew(nothing, forked=False) as workers:
        got = list(workers.map(large_then_dead, ITEMS[:200], (150,), lambda item: b""))
    assert [len(answer) for answer in got] == [0 if i == 150 else 300_000 for i in range(200)]


@pytest.mark.timeout(60)
def test_leaving_in_the_middle_leaves_nobody_behind() -> None:
    with Crew(nothing, forked=False) as workers:
        answers = workers.map(large, ITEMS, (), lambda item: b"")
        assert len(next(answers)) == 300_000
        started = [worker.process.pid for worker in workers._workers]
    assert not any(psutil.pid_exists(pid) for pid in started)
