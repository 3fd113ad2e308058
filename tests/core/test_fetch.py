"""Addresses are fetched within bounds, and every way that a server can misbehave has its sentence."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from core.errors import UserError
from core.prediction import fetch as fetching
from core.prediction import sources

BODY = b"\x89PNG" + bytes(range(256)) * 40
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
Serve = Callable[[socket.socket], None]


def answers(data: bytes) -> Serve:
    return lambda connection: connection.sendall(data)


def drips(head: bytes, drop: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(400):
            connection.sendall(drop)
            time.sleep(0.05)

    return serve


def floods(head: bytes, block: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(4000):
            connection.sendall(block)

    return serve


class Server:
    """A raw loopback server that serves one behaviour to every connection."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/a.png"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.requests.append(connection.recv(65536))
            self._serve(connection)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def served() -> Iterator[Callable[[Serve], Server]]:
    servers: list[Server] = []

    def start(serve: Serve) -> Server:
        servers.append(Server(serve))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def fetched(url: str, seconds: float = 5.0) -> bytes:
    return asyncio.run(fetching.fetch(url, seconds))


def refusal(url: str, seconds: float = 5.0) -> str:
    with pytest.raises(UserError) as caught:
        fetched(url, seconds)
    assert caught.value.hint
    return caught.value.title


def test_a_picture_arrives_whole_and_uncompressed(served: Callable[[Serve], Server]) -> None:
    server = served(answers(OK % len(BODY) + BODY))
    assert fetched(server.url) == BODY
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (answers(b"HTTP/1.1 404 \x1b[31mPWN\r\nContent-Length: 0\r\n\r\n"), "404 Not Found"),
        (answers(b"HTTP/1.1 204 No Content\r\n\r\n"), "204"),
        (answers(OK % 0), "empty answer"),
        (answers(OK % 500 + b"x" * 9), "incomplete (9 of 500 bytes)"),
        (answers(OK % 99_999_999_999), "larger than 20 MiB"),
        (floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "larger than 20 MiB"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxx"), "compressed"),
        (answers(b"what is this\r\n\r\n"), "not valid"),
        (floods(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536), ""),
        (answers(b""), "without an answer"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"), "no web address"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n"), "no such host"),
        (answers(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "302"),
        (
            answers(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"),
            "more than 5 times",
        ),
    ],
)
def test_c042_to_c050_every_bad_answer_has_its_sentence(
    served: Callable[[Serve], Server], serve: Serve, said: str
) -> None:
    title = refusal(served(serve).url)
    assert said in title and title.isprintable()


@pytest.mark.parametrize(
    "serve",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y"),
        drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        lambda connection: time.sleep(20),
    ],
)
def test_c041_one_deadline_bounds_everything(
    served: Callable[[Serve], Server], serve: Serve
) -> None:
    began = time.monotonic()
    assert "in 0.5 s" in refusal(served(serve).url, seconds=0.5)
    assert time.monotonic() - began < 5


def test_c047_a_public_address_may_not_lead_to_a_private_machine(
    served: Callable[[Serve], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = served(answers(OK % len(BODY) + BODY))
    location = f"HTTP/1.1 302 Found\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n"
    first = served(answers(location.encode()))
    # Typed by the user, private addresses are fine, redirects among them as well.
    assert fetched(first.url) == BODY
    real = fetching._private_peer

    def first_is_public(response: httpx.Response) -> str | None:
        return None if str(response.url) == first.url else real(response)

    monkeypatch.setattr(fetching, "_private_peer", first_is_public)
    assert "private machine (127.0.0.1)" in refusal(first.url)


def test_c042_names_and_ports_that_do_not_exist() -> None:
    assert "no such host" in refusal("http://nonexistent.invalid/a.png")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def test_c053_a_certificate_that_is_not_valid(
    served: Callable[[Serve], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
        cause.verify_message = "certificate has expired"
        raise httpx.ConnectError("failed") from cause

    monkeypatch.setattr(httpx.AsyncClient, "stream", fail)
    assert "certificate has expired" in refusal("https://example.com/a.png")


@pytest.mark.parametrize(
    "url",
    ["http://", "http://h:99999/", "http://[::1", "http://\x1b[31m/", "http://" + "a" * 300 + "/"],
)
def test_c051_impossible_addresses(url: str) -> None:
    assert refusal(url).isprintable()


@pytest.mark.parametrize(
    "source", ["", "  ", "ftp://h/a.jpg", "file:///etc/passwd", "data:image/png,x", "x" * 5000]
)
def test_c051_what_is_not_read_is_told_without_a_request(source: str) -> None:
    with pytest.raises(UserError):
        sources.normalised(source)


def test_a_missing_scheme_is_added_and_paths_stay_paths() -> None:
    assert sources.normalised("www.example.com/a.jpg") == "https://www.example.com/a.jpg"
    for path in ("/a/b.jpg", "a.jpg", "./x.y/b.png", "~/p.jpg", "C.jpg"):
        assert sources.normalised(path) == path


def test_c052_secrets_in_an_address_are_never_shown() -> None:
    shown = sources.shown("https://user:secret@example.com:8443/a/b.png?token=secret#secret")
    assert shown == "https://example.com:8443/a/b.png"
    assert "secret" not in sources.shown("https://user:secret@[bad/a?secret")
