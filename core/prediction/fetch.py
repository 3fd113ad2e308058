"""Fetch a picture from an address, bounded in time, in size, and in where it may lead."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from urllib.request import getproxies

import httpx

from core.errors import UserError
from core.prediction.sources import shown
from core.text import safe_text

DEADLINE_SECONDS = 20.0
MAX_BYTES = 20 * 2**20
MAX_REDIRECTS = 5
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
        async with asyncio.timeout(deadline_seconds):
            await _follow(url, where, received)
    except TimeoutError:
        size = f"{len(received) / 1024:,.0f} KB" if received else "nothing"
        raise UserError(f"{where} sent {size} in {deadline_seconds:g} s.", _TRY_AGAIN) from None
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise UserError(f"{where} is not a possible address.", "Check its spelling.") from error
    except httpx.HTTPError as error:
        raise UserError(f"{where} {_reason(error)}.", _TRY_AGAIN) from error
    except (ImportError, OSError) as error:
        # Settings from the environment: a SOCKS proxy, a certificate file that is not there.
        raise UserError(
            f"{where} cannot be fetched with the network settings of this shell: {error}.",
            "Look at ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and SSL_CERT_FILE.",
        ) from error
    if not received:
        raise UserError(f"{where} sent an empty answer.", _TRY_AGAIN)
    return bytes(received)


async def _follow(url: str, where: str, received: bytearray) -> None:
    """Fill `received` from `url`, taking redirects one by one."""
    # The address that the user typed may be private; one that a public server names may not.
    typed_private = None
    async with httpx.AsyncClient(headers=_HEADERS, timeout=DEADLINE_SECONDS) as client:
        here = httpx.URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with client.stream("GET", here) as response:
                private = _private_peer(response)
                if typed_private is None:
                    typed_private = private is not None
                elif private and not typed_private:
                    raise UserError(
                        f"{where} sent us to a private machine ({private}).",
                        "Nothing was fetched from there; give that address yourself if you mean it.",
                    )
                if not response.has_redirect_location:
                    await _take_body(response, where, received)
                    return
                here = _next(here, response, where)
    raise UserError(f"{where} redirects more than {MAX_REDIRECTS} times.", _TRY_AGAIN)


def _next(here: httpx.URL, response: httpx.Response, where: str) -> httpx.URL:
    target = here.join(response.headers["location"])
    if target.scheme not in ("http", "https") or not target.host:
        raise UserError(f"{where} redirects to something that is no web address.", _TRY_AGAIN)
    if here.scheme == "https" and target.scheme == "http":
        raise UserError(
            f"{where} redirects from https to unprotected http.", "Give the http address itself."
        )
    return target


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
        of = f" of {int(declared):,}" if declared.isascii() and declared.isdigit() else ""
        raise UserError(
            f"The picture from {where} arrived incomplete ({len(received):,}{of} bytes).",
            _TRY_AGAIN,
        ) from None


def _private_peer(response: httpx.Response) -> str | None:
    """Return the address that the connection really goes to if it is not a public one."""
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream else None
    if not peer or _proxied(response.url):
        return None
    address = ipaddress.ip_address(peer[0].split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return None if (mapped or address).is_global else str(mapped or address)


def _proxied(url: httpx.URL) -> bool:
    return url.scheme in getproxies() or "all" in getproxies()


def _reason(error: httpx.HTTPError) -> str:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    text = " ".join(str(cause) for cause in causes).lower()
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not valid ({safe_text(cause.verify_message, 80)})"
    if isinstance(error, httpx.ProxyError) or (
        isinstance(error, httpx.ConnectError) and getproxies()
    ):
        names = [n for n in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") if _named(n)]
        through = f" through the proxy in {', '.join(names)}" if names else ""
        return f"cannot be reached{through}"
    if "name or service not known" in text or "getaddrinfo" in text or "name resolution" in text:
        return "cannot be found: no such host, or no network"
    if "refused" in text:
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


def _named(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(variable.lower()))
