"""Readers and predictors die, hang and lie; whoever asked them hears of it in one sentence."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from core.errors import UserError
from core.prediction import answering, frames, reading
from core.prediction.helper import Helper, StoppedError
from core.prediction.reader import _Reader
from core.prediction.reading import Reader, Readers, Wanted
from core.prediction.sources import Source
from tests.core.conftest import ROOT, picture
from tests.core.hostile_server import Server, body, hangs, png


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader()
    yield made
    await made.close()


@pytest.fixture
def stuck() -> Iterator[Server]:
    """A server that never answers."""
    server = Server(hangs)
    yield server
    server.close()


@pytest.fixture
def good(tmp_path: Path) -> Source:
    picture(0, seed=1, size=20).save(tmp_path / "good.png")
    return Source(str(tmp_path / "good.png"))


async def asked(server: Server) -> None:
    assert await asyncio.to_thread(server.asked.wait, 20)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGSEGV, "the reader stopped on it"),
        (signal.SIGBUS, "the reader stopped on it"),
        (signal.SIGALRM, "it takes too long to decode"),
    ],
)
async def test_c028_a_reader_that_dies_costs_one_picture(
    reader: Reader, stuck: Server, good: Source, number: signal.Signals, said: str
) -> None:
    request = asyncio.create_task(reader.read(Source(stuck.url), Wanted()))
    await asked(stuck)
    assert reader.pid is not None
    os.kill(reader.pid, number)
    with pytest.raises(UserError, match=said):
        await request
    assert (await reader.read(good, Wanted())).original_width == 20


async def test_a_reader_that_is_killed_from_outside_costs_one_retry(reader: Reader) -> None:
    connections = iter([hangs])
    good = body(png())
    server = Server(lambda *given: next(connections, good)(*given))
    request = asyncio.create_task(reader.read(Source(server.url), Wanted()))
    await asked(server)
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    assert (await request).original_width == 8
    server.close()


async def test_a_picture_that_has_its_reader_killed_twice_is_given_up(
    reader: Reader, good: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = []

    async def killed(*given: object) -> frames.ReadAnswer:
        asks.append(given)
        raise StoppedError(-signal.SIGKILL)

    monkeypatch.setattr(Helper, "ask", killed)
    with pytest.raises(UserError, match="the reader stopped on it"):
        await reader.read(good, Wanted())
    assert len(asks) == 2


async def test_the_wait_for_a_free_reader_is_not_counted(
    good: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    async def read(*_: object) -> frames.ReadAnswer:
        clock[0] += 3.0
        await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(int))])
        return frames.ReadAnswer(seconds=99.0)

    monkeypatch.setattr(Reader, "read", read)
    monkeypatch.setattr(reading, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    readers = Readers(1)
    answers = await asyncio.gather(*(readers.read(good, Wanted()) for _ in range(4)))
    assert [answer.seconds for answer in answers] == [3.0] * 4


async def test_a_predictor_that_hangs_while_it_loads_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Helper, "first", hang)
    monkeypatch.setattr(answering, "LOADING_SECONDS", 0.05)
    predictions = answering.Predictions(tmp_path / "none.safetensors")
    await predictions.start()
    with pytest.raises(UserError, match=r"not loaded within 0\.05 s"):
        await predictions.ask(b"x")
    assert predictions.pid is None
    await predictions.close()


async def test_the_time_of_a_batch_is_shared_by_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    async def ready(*_: object) -> frames.Ready:
        clock[0] += 100.0
        return frames.Ready(digest="d")

    async def ask(_: Helper, request: frames.PredictRequest, *__: object) -> frames.PredictAnswer:
        clock[0] += 6.0
        return frames.PredictAnswer(probabilities=[[1.0]] * request.count)

    monkeypatch.setattr(Helper, "first", ready)
    monkeypatch.setattr(Helper, "ask", ask)
    monkeypatch.setattr(answering, "MOST_TOGETHER", 3)
    monkeypatch.setattr(answering, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    predictions = answering.Predictions(tmp_path / "none.safetensors")
    await predictions.start()
    predictions.expect("d")
    answers = await asyncio.gather(*(predictions.ask(b"x") for _ in range(6)))
    assert [answer.seconds for answer in answers] == [2.0] * 6
    await predictions.close()


async def test_c055_a_request_that_is_given_up_leaves_no_process(
    reader: Reader, stuck: Server, good: Source
) -> None:
    request = asyncio.create_task(reader.read(Source(stuck.url), Wanted()))
    await asked(stuck)
    pid = reader.pid
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert pid is not None and not psutil.pid_exists(pid)
    # The late answer of the first cannot be taken for that of the second.
    assert (await reader.read(good, Wanted())).original_width == 20


async def test_c055_a_reader_that_says_nothing_is_killed_at_its_deadline(
    stuck: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MARGIN_SECONDS", -999.5)
    reader = Reader(fetch_seconds=1000)
    with pytest.raises(UserError, match=r"more than 0\.5 s to read"):
        await reader.read(Source(stuck.url), Wanted())
    assert reader.pid is None


async def test_c042_a_name_look_up_that_hangs_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))
    request = frames.ReadRequest(source="http://example.org/", preview=8, seconds=0.3)
    answer = await asyncio.to_thread(_Reader().answer, request)
    over.set()
    assert "sent nothing in 0.3 s" in answer.title


def test_c028_decoding_that_takes_too_long_is_ended_by_the_kernel() -> None:
    code = "from core.prediction.reader import within\nwith within(0.05):\n  while True: pass"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGALRM


async def test_the_reader_is_confined(reader: Reader, good: Source) -> None:
    await reader.read(good, Wanted())
    assert reader.pid is not None
    limits = {
        kind: resource.prlimit(reader.pid, kind)[1]
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
    }
    assert limits == {
        resource.RLIMIT_AS: 2**30,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    assert str(Path(f"/proc/{reader.pid}/fd/2").readlink()) == "/dev/null"
    maps = Path(f"/proc/{reader.pid}/maps").read_text()
    assert "libtorch" not in maps


@pytest.mark.parametrize(
    "answer",
    [
        frames.ReadAnswer(pixels=b"x" * 191, original_width=8, original_height=8),
        frames.ReadAnswer(pixels=b"x" * 192, width=9, height=1, rgb=b"x" * 27),
        frames.ReadAnswer(pixels=b"x" * 192, width=8, height=8, rgb=b"x" * 191),
        frames.ReadAnswer(pixels=b"x" * 192, width=-8, height=-8, rgb=b"x" * 192),
    ],
)
async def test_a_reader_that_was_taken_over_cannot_choose_sizes(
    reader: Reader, good: Source, monkeypatch: pytest.MonkeyPatch, answer: frames.ReadAnswer
) -> None:
    async def lie(*_: object) -> frames.ReadAnswer:
        return answer

    monkeypatch.setattr(Helper, "ask", lie)
    with pytest.raises(UserError, match="something else than pixels"):
        await reader.read(good, Wanted(stored_size=8, preview=8))


async def test_readers_work_side_by_side_and_one_is_enough(stuck: Server, good: Source) -> None:
    readers = Readers(2)
    slow = asyncio.create_task(readers.read(Source(stuck.url), Wanted()))
    await asked(stuck)
    for _ in range(3):
        assert (await readers.read(good, Wanted())).original_width == 20
    assert len(readers.pids) == 2
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await readers.close()
    assert readers.pids == []
