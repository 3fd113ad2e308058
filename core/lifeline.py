"""The processes that train one run together: started here or by torchrun, each tied to the first.

Whatever ends a process ends its connection to the first one. So that can name who has failed, also while
it waits for it in torch, and none outlives it. torch is not needed for that.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import msgspec

from core.errors import RunFailedError, UserError
from core.machine import host_name
from core.processes import (
    PLACE,
    die_with_parent,
    how_it_died,
    worker_command,
    worker_environment,
)
from core.text import safe_text

LOOPBACK = "127.0.0.1"
# How often rank 0 looks whether those that it has started live.
LOOK_SECONDS = 0.2
# What torch says first of a lost connection is worth waiting so long for a better word.
WORD_SECONDS = 3.0
# Rank 0 may come to its end by itself when another fails; one that hangs for it is ended after so long.
GRACE_SECONDS = 2.0
# A rank that has lost another says so after so long: the loss itself is to be told first.
SECOND_HAND_SECONDS = 1.0
# A rank that has failed waits so long for rank 0 to take it up; those that rank 0 has started have so
# long to end when it does.
FAREWELL_SECONDS = 8.0
END_SECONDS = 1.0
CONNECT_SECONDS = 30.0
# A machine that is cut off is noticed after idle + interval * count seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 3), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 2))
MOST_WORD_BYTES = 2**16
_PARENT = "ALEXNET_TUI_RANK_0"


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A line from a rank to the first: that it is there, that its work is done, or why it failed."""

    token: int
    rank: int
    host: str
    state: Literal["here", "done", "failed"]
    title: str = ""
    hint: str = ""
    exit_code: int = RunFailedError.exit_code


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which of the processes that train together this one is, as torchrun numbers and tells them.

    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    address: str = LOOPBACK


def place() -> Place | None:
    """Return the place that the environment tells, None where it tells none."""
    if any(name not in os.environ for name in PLACE):
        return None
    rank, size, local_rank, local_size = (int(os.environ[name]) for name in PLACE[:4])
    return Place(
        rank=rank,
        size=size,
        local_rank=local_rank,
        local_size=local_size,
        address=os.environ["MASTER_ADDR"],
    )


def stay_no_longer_than_launcher() -> None:
    """Have this process end with torchrun, or with the rank 0 that has started it."""
    parent = os.environ.pop(_PARENT, None)
    if parent or "TORCHELASTIC_RUN_ID" in os.environ:
        die_with_parent(int(parent) if parent else None)


def start_ranks(run: str, size: int) -> list[subprocess.Popen[bytes]]:
    """Start ranks 1 to `size` - 1 for the run in the folder `run` on this machine; this process is rank 0.

    To be called by the main thread, with which they end. They say what they say into its log.
    """
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(port),
        # All are on this machine, whatever its name resolves to.
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo"),
    }
    environment = worker_environment() | common | {_PARENT: str(os.getpid())}
    os.environ.update(common | {"RANK": "0", "LOCAL_RANK": "0"})
    return [
        subprocess.Popen(
            worker_command("train", run),
            stdin=subprocess.DEVNULL,
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(1, size)
    ]


class FirstRank:
    """Rank 0's end of all lines, used as a context: an error inside becomes the one that led to it.

    `started` are the ranks from 1 on that this process has started itself. When a rank has failed and the
    context is not left soon after, as where torch waits for it, `give_up` is called by another thread and
    must end the process. `hint` tells what to do when a rank is gone.
    """

    def __init__(
        self,
        here: Place,
        started: Sequence[subprocess.Popen[bytes]],
        give_up: Callable[[UserError], None],
        hint: str,
    ) -> None:
        self.place = here
        self.token = secrets.randbits(62)
        self._started = started
        self._give_up = give_up
        self._hint = hint
        self._server = _listen(LOOPBACK if started else "", here.size)
        self._lines: dict[socket.socket, _Line] = {}
        # Ranks that have done their work, or whose failure was told.
        self._finished: set[int] = set()
        self._failure: UserError | None = None
        self._failed = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lifeline", daemon=True)

    @property
    def port(self) -> int:
        """Where the others connect to."""
        port: int = self._server.getsockname()[1]
        return port

    def release(self) -> None:
        """Say that no rank is needed any more, and that none can make the run fail now."""
        self._over.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, UserError):
            # What torch says of a peer that is gone tells nobody which, and why.
            self._failed.wait(WORD_SECONDS)
        self._over.set()
        self._thread.join()
        self._end_all()
        if self._failure and error and not isinstance(error, UserError):
            raise self._failure from error

    def _end_all(self) -> None:
        """Tell the others that it is over, and see those off that were started here."""
        for line in self._lines.values():
            line.close()
        self._server.close()
        deadline = time.monotonic() + END_SECONDS
        for process in self._started:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _watch(self) -> None:
        """Listen to all ranks, and look after those of this machine, until that is over."""
        give_up_at = float("inf")
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in selector.select(LOOK_SECONDS):
                    if key.fileobj is self._server:
                        self._accept(selector)
                    elif isinstance(key.fileobj, socket.socket) and not self._hear(key.fileobj):
                        selector.unregister(key.fileobj)
                tied = {line.rank for line in self._lines.values()}
                for rank, process in enumerate(self._started, 1):
                    # One that is tied may have said more than was read so far.
                    if rank not in tied and process.poll():
                        self._gone(rank, "")
                if self._failure is not None and time.monotonic() > give_up_at:
                    self._end_all()
                    self._give_up(self._failure)
                elif self._failure is not None:
                    give_up_at = min(give_up_at, time.monotonic() + GRACE_SECONDS)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            _keep_alive(connection)
            self._lines[connection] = _Line(connection)
            selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket) -> bool:
        """Take what a rank says; tell whether more can come."""
        line = self._lines[connection]
        for word in line.read():
            if word.token != self.token:
                # Somebody else on the network.
                line.ended = True
                break
            line.rank, line.host = word.rank, word.host
            if word.state == "done":
                self._finished.add(word.rank)
            elif word.state == "failed":
                self._finished.add(word.rank)
                title = f"Rank {word.rank}{self._on(word.host)}: {word.title}"
                self._fail(title, word.hint, word.exit_code)
        if line.ended and line.rank:
            self._gone(line.rank, line.host)
        if line.ended:
            connection.close()
            del self._lines[connection]
        return not line.ended

    def _gone(self, rank: int, host: str) -> None:
        """Take note that a rank has ended, which is a failure unless it has said that it is done."""
        if rank in self._finished:
            return
        self._finished.add(rank)
        how = "without a word"
        if rank <= len(self._started):
            with suppress(subprocess.TimeoutExpired):
                how = how_it_died(self._started[rank - 1].wait(1.0))
        self._fail(f"Rank {rank}{self._on(host)} has ended: {how}.", self._hint)

    def _on(self, host: str) -> str:
        return "" if self._started else f" on {safe_text(host, 80)}"

    def _fail(self, title: str, hint: str, exit_code: int = RunFailedError.exit_code) -> None:
        if self._failure is None:
            self._failure = RunFailedError(title[:500], hint[:500])
            self._failure.exit_code = exit_code
            self._failed.set()


class OtherRank:
    """The end of a rank that is not the first, used as a context: tells the first how it has ended.

    Once tied, and until its work is done, it ends with the first: with 0 if that has ended by itself, which
    speaks for all, else with 1.
    """

    def __init__(self, here: Place) -> None:
        self.place = here
        self._line: socket.socket | None = None
        self._token = 0
        self._done = False

    def tie(self, port: int, token: int) -> None:
        """Connect to the first rank, which listens at `port` to those who know `token`."""
        address = (self.place.address, port)
        self._line = socket.create_connection(address, timeout=CONNECT_SECONDS)
        self._line.settimeout(None)
        _keep_alive(self._line)
        self._token = token
        self._say("here")
        threading.Thread(target=self._end_with, args=(self._line,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._done = True
            self._say("done")
            return
        traceback.print_exception(error)
        if isinstance(error, UserError):
            title, hint, code = error.title, error.hint, error.exit_code
        else:
            time.sleep(SECOND_HAND_SECONDS)
            title, hint, code = f"{type(error).__name__}: {error}", "Its log says more.", 3
        self._say("failed", title[:500], hint[:500], code)
        if self._line is not None:
            # Rank 0 speaks first: a launcher that sees this one fail may end it at once.
            time.sleep(FAREWELL_SECONDS)
        raise SystemExit(code) from error

    def _say(
        self,
        state: Literal["here", "done", "failed"],
        title: str = "",
        hint: str = "",
        code: int = 3,
    ) -> None:
        if self._line is None:
            return
        word = Word(
            token=self._token,
            rank=self.place.rank,
            host=host_name(),
            state=state,
            title=title,
            hint=hint,
            exit_code=code,
        )
        with suppress(OSError):
            self._line.sendall(msgspec.json.encode(word) + b"\n")

    def _end_with(self, line: socket.socket) -> None:
        """Wait for the end of the first rank, then end this process."""
        said = b""
        with suppress(OSError):
            while got := line.recv(16):
                said += got
        if not self._done:
            os._exit(0 if said else 1)


class _Line:
    """A connection of rank 0 to another: words as they come, and its farewell at the end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._bytes = b""
        self.rank = 0
        self.host = ""
        self.ended = False

    def read(self) -> list[Word]:
        """Return the words that are there; the line has ended where its other end has, or talks nonsense."""
        try:
            got = self._connection.recv(MOST_WORD_BYTES)
            *lines, self._bytes = (self._bytes + got).split(b"\n")
            self.ended = not got or len(self._bytes) > MOST_WORD_BYTES
            return [msgspec.json.decode(line, type=Word) for line in lines]
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self.ended = True
            return []

    def close(self) -> None:
        """Say that rank 0 has come to its end, by itself."""
        with suppress(OSError):
            self._connection.sendall(b"over\n")
        self._connection.close()


def _listen(address: str, backlog: int) -> socket.socket:
    """Return a socket that listens at a free port of `address`, of all addresses where that is empty."""
    if address or not socket.has_dualstack_ipv6():
        return socket.create_server((address, 0), backlog=backlog)
    family = socket.AF_INET6
    return socket.create_server(("", 0), family=family, backlog=backlog, dualstack_ipv6=True)


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
