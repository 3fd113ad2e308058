"""The event log of a run: append whole lines, replay them, follow them as they come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from core.runs.events import AnyEvent, Event, Resumed, Step, decode, decode_lines, encode, is_last

# A follower takes the log in pieces of this size: what is decoded at once stays in the processor's cache.
CHUNK_BYTES = 1 << 17
MOST_PENDING_BYTES = 1 << 22
# How some lines begin: the name of an event comes first.
_STEP = b'{"event":"step",'
_TRAINING = b'{"event":"training-started",'
_EPOCH = b'{"event":"epoch-ended",'


class EventWriter:
    """Appends events to a log, each line by one `write`; `sync` makes all so far durable."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._pending = b""
        self._cut_torn_tail()

    def write(self, event: Event, sync: bool = False) -> None:
        """Append `event`; with `sync` it is on the disk when this returns.

        What a full disk does not take waits for the next event: training must not end for it.
        """
        self._pending += encode(event) + b"\n"
        try:
            self._put(sync)
        except OSError:
            # A disk that stays full must not fill the memory as well.
            if len(self._pending) > MOST_PENDING_BYTES:
                self._pending = self._pending[: self._pending.find(b"\n") + 1]

    def _put(self, sync: bool) -> None:
        """Write what is pending."""
        while self._pending:
            self._pending = self._pending[os.write(self._descriptor, self._pending) :]
        if sync:
            os.fsync(self._descriptor)

    def size(self) -> int:
        """Return the length of the log in bytes."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        with suppress(OSError):
            os.fsync(self._descriptor)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cut_torn_tail(self) -> None:
        """Drop a last line that a kill left without its end, or the next would be glued to it."""
        size = self.size()
        whole, start = 0, size
        # A line may be longer than a chunk: a confusion matrix of many classes.
        while start and not whole:
            end, start = start, max(start - CHUNK_BYTES, 0)
            found = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            whole = start + found + 1 if found >= 0 else 0
        if whole < size:
            os.ftruncate(self._descriptor, whole)


class EventReader:
    """Reads a log from `offset` on, where a line begins; each call returns the events that are new and whole."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset
        """Where the next event begins, in bytes from the start of the log."""
        self.behind = False
        """Whether the last `read` stopped before the end of the log."""

    def read(self) -> list[AnyEvent]:
        """Return the next events, about `CHUNK_BYTES` of them; none when nothing is new.

        A line that is no event (written by a newer version, or damaged) is passed over.
        """
        events: list[AnyEvent] = []
        size = CHUNK_BYTES
        try:
            with self._path.open("rb") as file:
                while not events:
                    file.seek(self.offset)
                    data = file.read(size)
                    self.behind = len(data) == size
                    end = data.rfind(b"\n")
                    if end >= 0:
                        self.offset += end + 1
                        events = _decode_all(data, 0, end)
                    elif self.behind:
                        # One line may be longer than a chunk: a confusion matrix of many classes.
                        size *= 2
                    else:
                        break
        except FileNotFoundError:
            return []
        return events


def read_ends(path: Path, size: int, most: int) -> list[AnyEvent]:
    """Return the events in the first and in the last bytes of a log: all of a short one, but hardly a step.

    An end of a long log is `size` bytes, or twice as many and so on up to `most`, until the first tells
    the sizes of the loop and the last of two epochs. Of the steps the newest counts, and the last before a
    run went on; the end of a run that went on is left out.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size

        def first(size: int) -> bytes:
            return os.pread(file.fileno(), size, 0)

        def last(size: int) -> bytes:
            return os.pread(file.fileno(), size, max(length - size, 0))

        if length > 2 * size:
            begin = _grown(first, size, most, _TRAINING, 1)
            end = _grown(last, size, most, _EPOCH, 2)
            if len(begin) + len(end) < length:
                return [e for e in _but_steps(begin) if not is_last(e)] + _but_steps(end)
        return _but_steps(first(length))
    return []


def _grown(read: Callable[[int], bytes], size: int, most: int, mark: bytes, times: int) -> bytes:
    """Return `read(size)`, or of twice the size and so on up to `most`, until `mark` is there so often."""
    data = read(size)
    while data.count(mark) < times and size < most and len(data) == size:
        size = min(2 * size, most)
        data = read(size)
    return data


def _but_steps(data: bytes) -> list[AnyEvent]:
    """Return the events in `data`, of its steps only the last, and the last before the run went on."""
    events: list[AnyEvent] = []
    is_last_step = True
    for line in reversed(data.split(b"\n")):
        if is_last_step or not line.startswith(_STEP):
            event = _decode(line)
            if event is not None:
                events.append(event)
                is_last_step &= not isinstance(event, Step)
                is_last_step |= isinstance(event, Resumed)
    return events[::-1]


def _decode_all(data: bytes, start: int, end: int) -> list[AnyEvent]:
    """Return the events in `data[start:end]`: all at once, or by halves where some line is none."""
    lines = data.count(b"\n", start, end) + 1
    if lines == 1:
        event = _decode(data[start:end])
        return [] if event is None else [event]
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        events: list[AnyEvent] = decode_lines(memoryview(data)[start:end])
        # No event is then spread over lines, so as many of them as lines means one on each.
        if len(events) == lines == data.count(b"}\n{", start, end) + 1:
            return events
    middle = data.rfind(b"\n", start, (start + end) // 2)
    if middle < 0:
        middle = data.find(b"\n", start, end)
    return _decode_all(data, start, middle) + _decode_all(data, middle + 1, end)


def read_rare(path: Path) -> Iterator[AnyEvent]:
    """Yield all events of a log but the steps, which are most of it, of which none is decoded."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            if not line.startswith(_STEP) and (event := _decode(line)) is not None:
                yield event


def _decode(line: bytes) -> AnyEvent | None:
    try:
        event: AnyEvent = decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return event
