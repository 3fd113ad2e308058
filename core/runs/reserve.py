"""A little of the disk that is held back, so that a trainer can still speak when the disk is full."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

# Enough for half an hour of events; taken again once so many times as much is free, and not tried all the time.
RESERVE_BYTES, EASY, TRY_SECONDS = 2**20, 64, 60.0


class Reserve:
    """A file of `RESERVE_BYTES` at `path`, there from the start or from when the disk has room."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given = False
        self._try_at = 0.0
        self._held = self._hold()

    def give(self, error: OSError) -> bool:
        """Give it to the disk if `error` is for want of room; return whether it was there to be given."""
        if not self._held or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return False
        self.remove()
        self._given = True
        self._try_at = time.monotonic() + TRY_SECONDS
        return True

    def take_back(self) -> bool:
        """Hold it if the disk has room by now; return whether it had been given, and is held again."""
        if self._held or time.monotonic() < self._try_at:
            return False
        self._try_at = time.monotonic() + TRY_SECONDS
        with suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize >= EASY * RESERVE_BYTES:
                self._held = self._hold()
        again = self._held and self._given
        self._given &= not self._held
        return again

    def remove(self) -> None:
        """Let go of it for good."""
        self._held = False
        with suppress(OSError):
            self._path.unlink()

    def _hold(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            # A part of it would hold back nothing that anybody counts on.
            self.remove()
            return False
        return True
