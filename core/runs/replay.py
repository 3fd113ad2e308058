"""What a log adds up to, folded as it grows, from a bookmark on where one fits.

The log alone is the truth. A bookmark says what its lines up to some place add up to, so that a run of
millions of steps is not read from its first one by whoever wants to look at it.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from time import monotonic

import msgspec

from core import text
from core.files import write_atomically
from core.runs import curve, events, log, snapshot
from core.runs.events import Event
from core.runs.log import EventReader, EventWriter
from core.runs.reserve import Reserve
from core.runs.snapshot import RunView

# When a log has grown by so much, its trainer lays a new bookmark: reading that takes some 40 ms.
KEEP_BYTES = 1 << 22
# So many bytes before a bookmark tell whether it is of this log.
_MARK_BYTES = 4096
_DIGEST_BYTES = 32


class Bookmark(msgspec.Struct, frozen=True, array_like=True):
    """A place in a log in bytes from its start, what stands before it, and what all before adds up to."""

    offset: int
    before: bytes
    view: RunView


class Replay:
    """Folds a log from its start on; each `read` goes on where the one before has ended."""

    def __init__(self, path: Path, bookmark: Path) -> None:
        self._path, self._bookmark = path, bookmark
        found = read_bookmark(bookmark, path)
        self.view = found.view if found else RunView()
        self._reader = EventReader(path, found.offset if found else 0)

    @property
    def behind(self) -> bool:
        """Whether the last `read` stopped before the end of the log."""
        return self._reader.behind

    def read(self, seconds: float = float("inf")) -> bool:
        """Fold what is new, for about so many seconds at most; tell whether anything was."""
        end = monotonic() + seconds
        new = False
        while said := self._reader.read():
            self.view.apply(said)
            new = True
            if not self._reader.behind or monotonic() >= end:
                break
        return new

    def keep(self) -> None:
        """Lay a bookmark where the reading has come to.

        Raises:
            OSError: it cannot be written.
        """
        offset = self._reader.offset
        page = Bookmark(offset, _before(self._path, offset), self.view)
        data = msgspec.msgpack.encode(page)
        write_atomically(self._bookmark, [_digest(data), data])


class KeepingWriter(EventWriter):
    """Appends events to a log, and now and then lays a bookmark in it; says when the disk is full."""

    def __init__(self, path: Path, bookmark: Path) -> None:
        super().__init__(path)
        self._paths = path, bookmark
        self._reserve = Reserve(path.with_name("reserve"))
        self._replay: Replay | None = None
        self._kept = 0

    def write(self, event: Event, sync: bool = False) -> None:
        """Append `event` as `EventWriter` does."""
        super().write(event, sync)
        try:
            if self.size() - self._kept >= KEEP_BYTES:
                self._kept = self.size()
                # It reads what it has written, so that it folds what all others will read.
                self._replay = self._replay or Replay(*self._paths)
                self._replay.read()
                self._replay.keep()
        # A training must not end for those who look on.
        except Exception:  # noqa: BLE001
            self._replay = None

    def close(self) -> None:
        """Close the log, and give back what was held for it."""
        super().close()
        self._reserve.remove()

    def _put(self, sync: bool) -> None:
        try:
            super()._put(sync)
        except OSError as error:
            if not self._reserve.give(error):
                raise
            where = text.safe_text(self._paths[0].parent.parent)
            said = f"the disk of {where} is full: free some space there, training goes on meanwhile"
            self._pending += events.encode(events.Note(level="error", text=said)) + b"\n"
            super()._put(sync)
        else:
            if self._reserve.take_back():
                note = events.Note(level="info", text="the disk has room again")
                self._pending += events.encode(note) + b"\n"
                super()._put(sync)


def read_bookmark(path: Path, log: Path) -> Bookmark | None:
    """Return the bookmark at `path`; None where there is none, or one that is damaged or does not fit.

    It fits if this very code has made it, and if the log has before it what it had then.
    """
    try:
        data = path.read_bytes()
        if _digest(data[_DIGEST_BYTES:]) != data[:_DIGEST_BYTES]:
            return None
        page = msgspec.msgpack.decode(memoryview(data)[_DIGEST_BYTES:], type=Bookmark)
        return page if page.before == _before(log, page.offset) else None
    except (OSError, msgspec.MsgspecError):
        return None


def _before(log: Path, offset: int) -> bytes:
    """Return a hash of the last bytes of `log` before `offset`."""
    start = max(offset - _MARK_BYTES, 0)
    with log.open("rb", buffering=0) as file:
        file.seek(start)
        return blake2b(file.read(offset - start), digest_size=_DIGEST_BYTES).digest()


def _digest(data: bytes) -> bytes:
    return blake2b(data, key=_code(), digest_size=_DIGEST_BYTES).digest()


@cache
def _code() -> bytes:
    """Return a hash of the code that folds: another version of it may come to something else."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for module in (curve, events, log, snapshot, text):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.digest()
