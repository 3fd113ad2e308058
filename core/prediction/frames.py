"""What the engine and its helper processes say to each other: length-prefixed MessagePack."""

from __future__ import annotations

import asyncio
import os
import struct
from typing import BinaryIO, TypeVar

import msgspec

_LENGTH = struct.Struct("<I")
# A square of 1,024 pixels in colour is 3 MiB; no honest frame is near this.
MAX_FRAME = 64 * 2**20

T = TypeVar("T", bound=msgspec.Struct)


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Read `source`, or of the archive there `member`; `stored_size` 0 asks for the preview alone.

    With `listing` the names in the archive are asked for, and no picture. `seconds` is what an address
    has to answer in.
    """

    source: str
    member: str = ""
    listing: bool = False
    stored_size: int = 0
    channels: int = 3
    preview: int = 0
    seconds: float = 0.0


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A file in an archive; `problem` says why it is not read, in words to put after its name."""

    name: str
    problem: str = ""


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`pixels` is `(channels, stored_size, stored_size)` uint8, `rgb` the preview; or an error.

    `seconds` is how long it took, by the clock of whoever asked.
    """

    pixels: bytes = b""
    width: int = 0
    height: int = 0
    rgb: bytes = b""
    original_width: int = 0
    original_height: int = 0
    members: list[Member] = []
    title: str = ""
    hint: str = ""
    seconds: float = 0.0


class Ready(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The predictor's first word: it holds the model whose file has this `digest`; or why it does not."""

    digest: str = ""
    title: str = ""
    hint: str = ""


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`pixels` is `(count, channels, stored_size, stored_size)` uint8."""

    pixels: bytes
    count: int


class PredictAnswer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The probabilities of the classes, in the order of the model file, for each picture."""

    probabilities: list[list[float]]


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return stdin and stdout for frames alone; what else is printed goes to stderr from now on."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests, answers


def write(stream: BinaryIO, message: msgspec.Struct) -> None:
    data = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: BinaryIO, kind: type[T]) -> T | None:
    """Return the next message, None when the other side has closed."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return msgspec.msgpack.decode(stream.read(_LENGTH.unpack(head)[0]), type=kind)


async def send(stream: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    data = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    await stream.drain()


async def receive(stream: asyncio.StreamReader, kind: type[T]) -> T:
    """Return the next message.

    Raises:
        EOFError: the other side died (`asyncio.IncompleteReadError` is one).
    """
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    if length > MAX_FRAME:
        raise EOFError("a frame larger than any honest one")
    return msgspec.msgpack.decode(await stream.readexactly(length), type=kind)
