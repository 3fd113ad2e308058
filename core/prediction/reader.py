"""The confined process: fetches and decodes bytes from outside, hands on pixels of known size."""

from __future__ import annotations

import asyncio

import numpy as np
from PIL import Image

from core.dataset import decode as dec
from core.errors import UserError
from core.files import MAX_PICTURE_BYTES, UnreadableError, expanded, read_bytes
from core.prediction import frames, sources
from core.processes import confine, die_with_parent
from core.text import native, safe_text

MEMORY = 1 * 2**30


def serve() -> None:
    """Answer requests on stdin until it closes."""
    die_with_parent()
    requests, answers = frames.private_streams()
    confine(MEMORY)
    while (request := frames.read(requests, frames.ReadRequest)) is not None:
        frames.write(answers, _answer(request))


def _answer(request: frames.ReadRequest) -> frames.ReadAnswer:
    source = native(request.source)
    try:
        if sources.is_url(source):
            data = asyncio.run(_fetch(source))
        else:
            data = read_bytes(expanded(source), MAX_PICTURE_BYTES)
        return _prepared(data, request)
    except UserError as error:
        return frames.ReadAnswer(title=error.title, hint=error.hint)
    except UnreadableError as error:
        title = f"{sources.shown(source)} {error}."
        return frames.ReadAnswer(title=safe_text(title), hint="Try another picture.")


async def _fetch(url: str) -> bytes:
    # httpx takes a third of a second to import, which only addresses need.
    from core.prediction.fetch import fetch

    return await fetch(url)


def _prepared(data: bytes, request: frames.ReadRequest) -> frames.ReadAnswer:
    opened = dec.decode(data, request.stored_size or request.preview)
    pixels = b""
    if request.stored_size:
        square = dec.square(opened.image, request.stored_size)
        pixels = np.ascontiguousarray(dec.with_channels(square, request.channels)).tobytes()
    preview = opened.image.convert("RGB")
    preview.thumbnail((request.preview, request.preview), Image.Resampling.BILINEAR)
    return frames.ReadAnswer(
        pixels=pixels,
        width=preview.width,
        height=preview.height,
        rgb=preview.tobytes(),
        original_width=opened.width,
        original_height=opened.height,
    )
