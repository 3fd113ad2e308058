"""The confined process: fetches and decodes bytes from outside, hands on pixels of known size."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from core.dataset import decode as dec
from core.errors import UserError
from core.files import MAX_PICTURE_BYTES, UnreadableError, read_bytes
from core.prediction import frames, sources
from core.processes import confine, die_with_parent
from core.text import native, safe_text

if TYPE_CHECKING:
    from core.prediction.archive import Archive

MEMORY = 1 * 2**30
DECODE_SECONDS = 5.0
ARCHIVE_SECONDS = 15.0
_OPEN_FILES = 64


def serve() -> None:
    """Answer requests on stdin until it closes."""
    die_with_parent()
    requests, answers = frames.private_streams()
    confine(MEMORY)
    _forbid_writing()
    reader = _Reader()
    while (request := frames.read(requests, frames.ReadRequest)) is not None:
        frames.write(answers, reader.answer(request))


def _forbid_writing() -> None:
    """Have the kernel refuse every byte that this process would write to a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Have the kernel end this process if the block takes longer, whatever C code it is stuck in."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Reader:
    """Answers requests; keeps the loop for addresses, and the archive that was read last."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._archive: Archive | None = None

    def answer(self, request: frames.ReadRequest) -> frames.ReadAnswer:
        """Return what was asked for, or why not; nothing that a source holds ends this process."""
        try:
            return self._answer(request)
        # Whatever a library raises on bytes from outside costs one picture, not the reader.
        except Exception as error:  # noqa: BLE001
            return frames.ReadAnswer(
                title=f"This source could not be read ({type(error).__name__}).",
                hint="It is probably damaged; try another.",
            )

    def _answer(self, request: frames.ReadRequest) -> frames.ReadAnswer:
        source = native(request.source)
        shown = sources.Source(source, request.member).shown
        try:
            if request.listing:
                with within(ARCHIVE_SECONDS):
                    return frames.ReadAnswer(members=self._opened(source).members())
            data = self._content(source, request)
            with within(DECODE_SECONDS):
                return _prepared(data, request)
        except UserError as error:
            return frames.ReadAnswer(title=error.title, hint=error.hint)
        except UnreadableError as error:
            return frames.ReadAnswer(
                title=safe_text(f"{shown} {error}."), hint="Try another picture."
            )

    def _content(self, source: str, request: frames.ReadRequest) -> bytes:
        if request.member:
            with within(ARCHIVE_SECONDS):
                return self._opened(source).read(request.member)
        if sources.is_url(source):
            return self._fetched(source, request.seconds)
        # As it was found: `~` was expanded where it was typed, and may also be a folder's name.
        return read_bytes(source, MAX_PICTURE_BYTES)

    def _opened(self, path: str) -> Archive:
        """Return the archive at `path`, its table of contents read once for all its members."""
        # Imported here: a reader of plain files needs no zipfile.
        from core.prediction.archive import Archive

        place = Path(path)
        if self._archive and self._archive.path == place and self._archive.is_current():
            return self._archive
        if self._archive:
            self._archive.close()
            self._archive = None
        self._archive = Archive(place)
        return self._archive

    def _fetched(self, url: str, seconds: float) -> bytes:
        # httpx takes a third of a second to import, which only addresses need.
        from core.prediction.fetch import fetch

        if self._loop is None:
            # One loop for all: `asyncio.run` would wait at its end for a name look-up that hangs.
            self._loop = asyncio.new_event_loop()
        data = self._loop.run_until_complete(fetch(url, seconds))
        if data.startswith(b"PK\x03\x04"):
            raise UserError(
                f"{sources.shown(url)} is an archive, and those are not read from the network.",
                "Save it and give its path.",
            )
        return data


def _prepared(data: bytes, request: frames.ReadRequest) -> frames.ReadAnswer:
    opened = dec.decode(data, request.stored_size or request.preview)
    pixels, rgb, width, height = b"", b"", 0, 0
    if request.stored_size:
        square = dec.square(opened.image, request.stored_size)
        pixels = np.ascontiguousarray(dec.with_channels(square, request.channels)).tobytes()
    if request.preview:
        preview = _shrunk(opened.image, request.preview)
        rgb, width, height = preview.tobytes(), preview.width, preview.height
    return frames.ReadAnswer(
        pixels=pixels,
        width=width,
        height=height,
        rgb=rgb,
        original_width=opened.width,
        original_height=opened.height,
    )


def _shrunk(image: Image.Image, size: int) -> Image.Image:
    """Return `image` in colour, fitted into `size` x `size`."""
    if max(image.size) > size:
        # Made small first: most of a large picture need not be turned into colour.
        image = image.copy()
        image.thumbnail((size, size), Image.Resampling.BILINEAR)
    return image.convert("RGB")
