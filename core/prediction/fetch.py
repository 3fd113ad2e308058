"""Fetch a picture from an address, bounded in time, in size, and in where it may lead."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import aclosing
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from core.errors import UserError
from core.prediction.peers import PeerGuard
from core.prediction.sources import MAX_PORT, shown
from core.text import safe_text

DEADLINE_SECONDS = 20.0
MAX_BYTES = 20 * 2**20
MAX_REDIRECTS = 5
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_TRY_AGAIN = "Nothing was classified; check the address, or try again."
_HEADERS = {
    "User-Agent": "alexnet-tui",
    "Accept": "image/*",
    # A compressed answer could unpack to gigabytes; pictures are compressed already.
    "Accept-Encoding": "identity",
}


async def fetch(url: str, deadline_seconds: float = DEADLINE_SECONDS) -> bytes:
    """Return the body that `url` leads to, at most `MAX_BYTES` of it.

    One deadline covers everything, names, redirects and a slow body alike.

    Raises:
        UserError: whatever went wrong, in one sentence that says where.
    """
    where = shown(url)
    received = bytearray()
    try:
        async with asyncio.timeout(deadline_seconds), _client() as client:
            await _follow(client, httpx.URL(url), where, received)
    except TimeoutError:
        size = f"only {len(received) / 1024:,.0f} KB" if received else "nothing"
        raise UserError(f"{where} sent {size} in {deadline_seconds:g} s.", _TRY_AGAIN) from None
    except (httpx.InvalidURL, UnicodeError, ValueError, OverflowError) as error:
        raise UserError(f"{where} is not a possible address.", "Check its spelling.") from error
    except httpx.HTTPError as error:
        raise UserError(f"{where} {_reason(error, url)}.", _TRY_AGAIN) from error
    except OSError as error:
        raise UserError(f"{where} broke the connection off.", _TRY_AGAIN) from error
    if not received:
        raise UserError(f"{where} sent an empty answer.", _TRY_AGAIN)
    return bytes(received)


def _client() -> httpx.AsyncClient:
    """Return a client with the proxies and certificates that the environment names.

    Raises:
        UserError: they cannot be used; their values, which may hold passwords, are not shown.
    """
    try:
        return httpx.AsyncClient(headers=_HEADERS, timeout=DEADLINE_SECONDS)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        named = [name for name in (*_PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR") if _named(name)]
        raise UserError(
            "The network settings of this shell cannot be used"
            f" ({', '.join(named)}: {type(error).__name__}).",
            "Correct these variables, or unset them.",
        ) from error


async def _follow(
    client: httpx.AsyncClient, here: httpx.URL, where: str, received: bytearray
) -> None:
    """Fill `received` from `url`, taking redirects one by one."""
    guard = PeerGuard(where)
    for _ in range(MAX_REDIRECTS + 1):
        guard.follow(here)
        request = client.build_request("GET", here, extensions={"trace": guard.watch})
        try:
            response = await client.send(request, stream=True)
        except httpx.InvalidURL:
            # The client looks at the target of a redirect before it hands the answer on.
            raise _no_web_address(where) from None
        async with aclosing(response):
            if not response.has_redirect_location:
                await _take_body(response, where, received)
                return
            here = _next(here, response, where)
    raise UserError(f"{where} redirects more than {MAX_REDIRECTS} times.", _TRY_AGAIN)


def _next(here: httpx.URL, response: httpx.Response, where: str) -> httpx.URL:
    target = here.join(response.headers["location"])
    if target.scheme not in ("http", "https") or not target.host:
        raise _no_web_address(where)
    if (target.port or 0) > MAX_PORT:
        raise UserError(f"{where} redirects to a port that does not exist.", _TRY_AGAIN)
    if here.scheme == "https" and target.scheme == "http":
        raise UserError(
            f"{where} redirects from https to unprotected http.", "Give the http address itself."
        )
    return target


def _no_web_address(where: str) -> UserError:
    return UserError(f"{where} redirects to something that is no web address.", _TRY_AGAIN)


async def _take_body(response: httpx.Response, where: str, received: bytearray) -> None:
    if response.status_code != httpx.codes.OK:
        # The standard's phrase: the server's own may hold anything.
        phrase = httpx.codes.get_reason_phrase(response.status_code)
        status = f"{response.status_code} {phrase}".strip()
        raise UserError(f"{where} answered {status}.", _TRY_AGAIN)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UserError(
            f"{where} sent a compressed answer, which was not asked for.",
            "Save the file and give its path.",
        )
    declared = response.headers.get("content-length", "")
    too_large = UserError(
        f"{where} is larger than {MAX_BYTES // 2**20} MiB.",
        "Save a smaller copy and give its path.",
    )
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > MAX_BYTES:
        raise too_large
    try:
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > MAX_BYTES:
                raise too_large
    except httpx.RemoteProtocolError:
        of = f" of {int(declared[:20]):,}" if declared.isascii() and declared.isdigit() else ""
        raise UserError(
            f"The picture from {where} arrived incomplete ({len(received):,}{of} bytes).",
            _TRY_AGAIN,
        ) from None


def _reason(error: httpx.HTTPError, url: str) -> str:
    causes = _causes(error)
    text = " ".join(str(cause) for cause in causes).lower()
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not valid ({safe_text(cause.verify_message, 80)})"
    proxy = _proxy_of(url)
    if proxy and isinstance(
        error, httpx.ProxyError | httpx.ConnectError | httpx.UnsupportedProtocol
    ):
        return f"cannot be reached through the proxy in {proxy}"
    if "name or service not known" in text or "getaddrinfo" in text or "name resolution" in text:
        return "cannot be found: no such host, or no network"
    # By its kind, since asyncio's own text only says that the call failed.
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refuses connections"
    if "without sending a response" in text:
        return "closed the connection without an answer"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    if isinstance(error, httpx.TimeoutException):
        return "does not answer"
    if isinstance(error, httpx.ProtocolError):
        return "gave an answer that is not valid"
    if isinstance(error, httpx.UnsupportedProtocol):
        return "is not a possible address"
    return "broke the connection off"


def _causes(error: BaseException) -> list[BaseException]:
    """Return `error` and all that it came from, of a group every member."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or cause in found:
            continue
        found.append(cause)
        waiting.append(cause.__cause__ or cause.__context__)
        if isinstance(cause, BaseExceptionGroup):
            waiting.extend(cause.exceptions)
    return found


def _proxy_of(url: str) -> str | None:
    """Return the variable that names the proxy for `url`, None where it is reached directly."""
    parts = urlsplit(url)
    if not getproxies() or proxy_bypass(parts.hostname or ""):
        return None
    scheme = f"{parts.scheme.upper()}_PROXY"
    return next((name for name in (scheme, "ALL_PROXY") if _named(name)), None)


def _named(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(variable.lower()))
