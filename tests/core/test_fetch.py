"""Addresses are fetched within bounds, and every way that a server can misbehave has its sentence."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

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
        ("http://[64:ff9b::10.0.0.5]/", "10.0.0.5"),
        ("http://[2002:a00:5::1]/", "10.0.0.5"),
        ("http://[::10.0.0.5]/", "10.0.0.5"),
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


@pytest.mark.parametrize("proxy", [None, "http://proxy.invalid:3128"])
def test_c047_a_name_in_another_script_is_looked_at_too(
    served: Callable[[Serve], Server], monkeypatch: pytest.MonkeyPatch, proxy: str | None
) -> None:
    target = served(answers(OK % len(BODY) + BODY))
    first = served(redirects(f"http://xn--mller-kva.example:{target.port}/"))
    look_up = socket.getaddrinfo

    def local(host: Any, *given: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if b"xn--" in host else host, *given, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    if proxy:
        # A proxy that is not used for this address must not make a difference.
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "*")
    real = peers._address
    typed = iter([ipaddress.ip_address("93.184.215.14")] * 2)
    monkeypatch.setattr(peers, "_address", lambda text: next(typed, None) or real(text))
    assert "private machine (127.0.0.1)" in refusal(first.url)
    assert target.requests in ([], [b""])


def test_c042_names_and_ports_that_do_not_exist() -> None:
    assert "no such host" in refusal("http://nonexistent.invalid/a.png")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            assert (
                refusal(f"http://{host}:{port}/") == f"http://{host}:{port}/ refuses connections."
            )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority for certificates that this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def secured(certificate: trustme.LeafCert, serve: Serve) -> Serve:
    """Return `serve` behind TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def handshake(connection: socket.socket, over: threading.Event) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as safe:
            safe.recv(65536)
            serve(safe, over)

    return handshake


LAST_YEAR = datetime.now(UTC) - timedelta(days=365)


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (lambda ours: ours.issue_cert("127.0.0.1"), None),
        (lambda ours: ours.issue_cert("127.0.0.1", not_after=LAST_YEAR), "expired"),
        (lambda ours: ours.issue_cert("example.org"), "IP address mismatch"),
        (lambda ours: trustme.CA().issue_cert("127.0.0.1"), "unable to get local issuer"),
    ],
)
def test_c053_certificates_are_verified(
    authority: trustme.CA,
    certificate: Callable[[trustme.CA], trustme.LeafCert],
    said: str | None,
) -> None:
    server = Server(secured(certificate(authority), answers(OK % len(BODY) + BODY)), greedy=False)
    url = server.url.replace("http:", "https:")
    if said is None:
        assert fetched(url) == BODY
    else:
        title = refusal(url)
        assert "certificate that is not valid" in title and said in title
    server.close()


def test_c046_no_way_down_from_https_to_http(
    authority: trustme.CA, served: Callable[[Serve], Server]
) -> None:
    target = served(answers(OK % len(BODY) + BODY))
    serve = secured(authority.issue_cert("127.0.0.1"), redirects(target.url))
    server = Server(serve, greedy=False)
    assert "from https to unprotected http" in refusal(server.url.replace("http:", "https:"))
    assert not target.requests
    server.close()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_c054_a_proxy_that_is_not_there_is_named_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv(name, f"http://user:secret@127.0.0.1:{port}")
        title = refusal("http://example.org/a.png")
    assert f"through the proxy in {name.upper()}" in title and "secret" not in title


@pytest.mark.parametrize(
    "proxy", ["socks5://user:secret@h:1", "nonsense://user:secret@h", "http://[secret"]
)
def test_c054_settings_that_cannot_be_used_are_named_without_their_secrets(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    title = refusal("http://example.org/a.png")
    assert "ALL_PROXY" in title and "secret" not in title


def test_c047_a_proxy_does_not_hide_a_private_target(
    served: Callable[[Serve], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = served(redirects("http://10.0.0.5/"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert "private machine (10.0.0.5)" in refusal("http://example.org/a.png")
    assert len(proxy.requests) == 1


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


@pytest.mark.parametrize("url", ["http://h:65536/a.png", "h.example:99999/a.png", "https://h:x/"])
def test_c051_a_port_that_does_not_exist_is_told(url: str) -> None:
    with pytest.raises(UserError, match="names a port that does not exist"):
        sources.normalised(url)
    assert "65535/" in sources.normalised("http://h:65535/a.png")


@pytest.mark.parametrize("source", ["\0zz", "a\0b.png", "http://h/\0"])
def test_c051_a_nul_is_told_and_never_taken_for_an_encoded_name(source: str) -> None:
    with pytest.raises(UserError, match="NUL"):
        sources.normalised(source)


def test_c051_no_exception_ends_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ValueError" in Reading().answer(ReadRequest(source="\0zz")).title
    monkeypatch.setattr("core.prediction.reader.read_bytes", lambda *_: 1 / 0)
    answer = Reading().answer(ReadRequest(source="a.png", preview=8))
    assert "ZeroDivisionError" in answer.title and answer.hint


def test_a_missing_scheme_is_added_and_paths_stay_paths() -> None:
    assert sources.normalised("www.example.com/a.jpg") == "https://www.example.com/a.jpg"
    for address in (
        "example.com:8080/a.jpg",
        "localhost:8000/a.jpg",
        "127.0.0.1:8000/a.jpg",
        "[::1]:8000/a.jpg",
        "127.0.0.1:9/a.jpg?token=[1]",
    ):
        assert sources.normalised(address) == f"https://{address}"
        assert not sources.is_many(address)
    for path in ("/a/b.jpg", "a.jpg", "./x.y/b.png", "~/p.jpg", "C.jpg"):
        assert sources.normalised(path) == path


def test_a_file_named_like_an_address_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "localhost:8000/a@b.jpg"
    (tmp_path / "localhost:8000").mkdir()
    (tmp_path / name).write_bytes(b"x")
    assert sources.normalised(name) == sources.place_of(name) == sources.shown(name) == name


def test_c052_secrets_in_an_address_are_never_shown() -> None:
    shown = sources.shown("https://user:secret@example.com:8443/a/b.png?token=secret#secret")
    assert shown == "https://example.com:8443/a/b.png"
    assert "secret" not in sources.shown("https://user:secret@[bad/a?secret")
