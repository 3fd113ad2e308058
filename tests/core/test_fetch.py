"""Addresses are fetched within bounds, and every way that a server can misbehave has its sentence."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator

import pytest

from core.errors import UserError
from core.prediction import fetch as fetching
from core.prediction import peers, sources
from core.prediction.frames import ReadRequest
from core.prediction.reader import _Reader as Reading
from tests.core.hostile_server import BEHAVIOURS, OK, Serve, Server, answers, redirects

BODY = b"\x89PNG" + bytes(range(256)) * 40


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


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_c041_to_c050_every_bad_answer_ends_in_time_with_its_sentence(
    served: Callable[[Serve], Server], name: str
) -> None:
    behaviour = BEHAVIOURS[name]
    seconds = 0.5 if behaviour.slow else 10.0
    answer = Reading().answer(
        ReadRequest(source=served(behaviour.serve).url, preview=8, seconds=seconds)
    )
    assert behaviour.said in answer.title and answer.title.isprintable()
    assert answer.title and answer.hint and not answer.rgb


def test_c047_a_redirect_may_stay_on_the_machine_that_was_typed(
    served: Callable[[Serve], Server],
) -> None:
    target = served(answers(OK % len(BODY) + BODY))
    assert fetched(served(redirects(target.url)).url) == BODY


@pytest.mark.parametrize(
    ("target", "peer"),
    [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://10.0.0.5/", "10.0.0.5"),
        ("http://[::1]/", "::1"),
        ("http://[::ffff:10.0.0.5]/", "10.0.0.5"),
    ],
)
def test_c047_a_redirect_may_not_lead_to_another_private_machine(
    served: Callable[[Serve], Server], target: str, peer: str
) -> None:
    assert f"private machine ({peer})" in refusal(served(redirects(target)).url)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "localhost", "127.0.0.1"])
def test_c047_the_peer_counts_and_not_the_text(
    served: Callable[[Serve], Server], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    target = served(answers(OK % len(BODY) + BODY))
    port = target.url.split(":")[2]
    first = served(redirects(f"http://{host}:{port}"))
    # To the guard the first server has an address of the public internet, as a bad one would.
    real = peers._address
    public = ipaddress.ip_address("93.184.215.14")
    typed = iter([public, public])
    monkeypatch.setattr(peers, "_address", lambda text: next(typed, None) or real(text))
    assert "private machine (127.0.0.1)" in refusal(first.url)
    # No request was sent there.
    assert target.requests in ([], [b""])


def test_c042_names_and_ports_that_do_not_exist() -> None:
    assert "no such host" in refusal("http://nonexistent.invalid/a.png")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/")


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
