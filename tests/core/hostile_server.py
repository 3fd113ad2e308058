"""A raw loopback server, and the many ways in which it can misbehave."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from PIL import Image

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Serve = Callable[[socket.socket, threading.Event], None]


class Server:
    """Serves one behaviour to every connection, each in a thread, until it is closed."""

    def __init__(self, serve: Serve, greedy: bool = True) -> None:
        """Serve `serve`; a `greedy` server reads the request itself."""
        self._serve = serve
        self._greedy = greedy
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.requests: list[bytes] = []
        self.asked = threading.Event()
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/a.png"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self._greedy:
                self.requests.append(connection.recv(65536))
            self.asked.set()
            self._serve(connection, self._over)

    def close(self) -> None:
        self._over.set()
        self._socket.close()


def answers(data: bytes) -> Serve:
    return lambda connection, over: connection.sendall(data)


def redirects(target: str) -> Serve:
    head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    return answers(head.encode())


def drips(head: bytes, drop: bytes) -> Serve:
    """Send `drop` twenty times a second for as long as anybody listens."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(0.05):
            connection.sendall(drop)

    return serve


def floods(head: bytes, block: bytes) -> Serve:
    """Send `block` as fast as it is taken, for as long as anybody listens."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.is_set():
            connection.sendall(block)

    return serve


def hangs(connection: socket.socket, over: threading.Event) -> None:
    over.wait(120)


def resets(connection: socket.socket, over: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def png(width: int = 8, height: int = 8) -> bytes:
    """Return a small picture whose header states another size where one is given."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 90).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def bomb(times: int) -> bytes:
    """Return zeros packed by gzip `times` times over: few bytes that unpack to 64 MiB and more."""
    data = bytes(64 * 2**20)
    for _ in range(times):
        data = gzip.compress(data)
    return data


def encoded(encoding: str, body: bytes) -> Serve:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return answers(head.encode() + body)


def body(data: bytes) -> Serve:
    return answers(OK % len(data) + data)


class Behaviour(NamedTuple):
    """A way to misbehave, and what a person is told of it."""

    serve: Serve
    said: str
    slow: bool = False


BEHAVIOURS = {
    "slow drip of a body": Behaviour(drips(OK % 9999, b"x"), "sent only", True),
    "slow drip of a header": Behaviour(
        drips(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "sent nothing", True
    ),
    "early hints for ever": Behaviour(
        drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "sent nothing", True
    ),
    "no answer": Behaviour(hangs, "sent nothing", True),
    "closed at once": Behaviour(answers(b""), "without an answer"),
    "reset": Behaviour(resets, "broke the connection off"),
    "404 with escape codes": Behaviour(
        answers(b"HTTP/1.1 404 \x1b[31mPWN\r\nContent-Length: 0\r\n\r\n"), "404 Not Found"
    ),
    "500": Behaviour(answers(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"), "500"),
    "204": Behaviour(answers(b"HTTP/1.1 204 No Content\r\n\r\n"), "204"),
    "empty body": Behaviour(answers(OK % 0), "empty answer"),
    "a web page as 200": Behaviour(body(b"<!DOCTYPE html><html>log in</html>"), "web page"),
    "a header with escape codes": Behaviour(
        answers(b"HTTP/1.1 200 OK\r\nX: \x1b]0;x\x07\r\nContent-Length: 5\r\n\r\nhello"), ""
    ),
    "length that lies": Behaviour(answers(OK % 500 + b"x" * 9), "incomplete (9 of 500 bytes)"),
    "length of 99,999,999,999": Behaviour(answers(OK % 99_999_999_999), "larger than 20 MiB"),
    "negative length": Behaviour(
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"), "not valid"
    ),
    "endless body": Behaviour(
        floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "larger than 20 MiB"
    ),
    "endless chunks": Behaviour(floods(CHUNKED, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"), "larger"),
    "cut chunk": Behaviour(answers(CHUNKED + b"64\r\n0123"), "incomplete"),
    "chunk of no size": Behaviour(answers(CHUNKED + b"zz\r\n0123\r\n"), "incomplete"),
    "gzip bomb": Behaviour(encoded("gzip", bomb(1)), "compressed"),
    "double gzip bomb": Behaviour(encoded("gzip, gzip", bomb(2)), "compressed"),
    "brotli": Behaviour(encoded("br", b"x"), "compressed"),
    "no HTTP at all": Behaviour(answers(b"what is this\r\n\r\n"), "not valid"),
    "header of 10 MB": Behaviour(floods(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536), "not valid"),
    "redirect loop": Behaviour(redirects("/again"), "more than 5 times"),
    "redirect to file:": Behaviour(redirects("file:///etc/passwd"), "no web address"),
    "redirect to data:": Behaviour(redirects("data:image/png;base64,xx"), "no web address"),
    "redirect to nowhere": Behaviour(redirects("http://["), "no such host"),
    "redirect to a port beyond all": Behaviour(redirects("http://127.0.0.1:99999/"), "a port that"),
    "redirect without a target": Behaviour(
        answers(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "302"
    ),
    "redirect to the cloud's secrets": Behaviour(
        redirects("http://169.254.169.254/latest/meta-data"), "private machine (169.254.169.254)"
    ),
    "half a picture": Behaviour(body(png()[:45]), "ends too early"),
    "picture of 3,600 megapixels": Behaviour(body(png(60_000, 60_000)), "megapixels"),
    "picture of one line": Behaviour(body(png(1, 60_000)), "long and thin"),
    "an archive": Behaviour(body(b"PK\x03\x04" + bytes(90)), "is an archive"),
}
