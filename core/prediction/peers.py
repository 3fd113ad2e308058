"""Where a fetch may connect: what a person typed, but no private machine that a server names."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any
from urllib.request import getproxies

import httpx

from core.errors import UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# By NAT64 (RFC 6052) the last 32 bits are an IPv4 address, to which a gateway leads.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# "IPv4-compatible" (RFC 4291), without `::` and `::1`, which have a meaning of their own.
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class PeerGuard:
    """Looks at every connection of one fetch before a byte of a request is sent over it.

    The first hop was typed by the user and may be private. A redirect may lead to a private address
    only if that is the machine that the typed address itself led to. What counts is the address of
    the connected peer, not the text: `http://2130706433/` and a name may both mean 127.0.0.1.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._typed: IPAddress | None = None
        self._redirected = False
        self._direct = True
        self._host = ""
        self._proxies = _proxy_hosts()

    def follow(self, url: httpx.URL) -> None:
        """Say which address comes next.

        Raises:
            UserError: its text alone names a private machine, which a proxy would hide from us.
        """
        self._redirected = bool(self._host)
        # As it is asked for, `xn--` and all: `url.host` is what a person would read.
        self._host = _raw_host(url)
        literal = _address(self._host)
        if literal is not None:
            self._check(literal)

    async def watch(self, event: str, info: dict[str, Any]) -> None:
        """Follow a request by httpx's `trace` extension, and end it where it leads astray."""
        if event == "connection.connect_tcp.started":
            # A proxy's own address is the user's choice, and says nothing of the target's.
            connected = info["host"].strip("[]")
            self._direct = connected == self._host or connected not in self._proxies
        elif event == "connection.connect_tcp.complete" and self._direct:
            stream = info["return_value"]
            peer = _address((stream.get_extra_info("server_addr") or ("",))[0])
            try:
                if peer is not None:
                    self._check(peer)
            except UserError:
                await stream.aclose()
                raise

    def _check(self, peer: IPAddress) -> None:
        if not self._redirected:
            self._typed = peer
        elif not peer.is_global and peer != self._typed:
            raise UserError(
                f"{self._where} sent us to a private machine ({peer}).",
                "Nothing was fetched from there; give that address yourself if you mean it.",
            )


def _address(text: str) -> IPAddress | None:
    """Return the IP address that `text` is, an IPv4 one also where IPv6 wraps it."""
    try:
        address = ipaddress.ip_address(text.strip("[]").split("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _raw_host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]")


def _proxy_hosts() -> set[str]:
    """Return the hosts that the environment names as proxies, as httpx reads them."""
    named = [value for kind, value in getproxies().items() if kind != "no"]
    hosts = set()
    for value in named:
        with suppress(httpx.InvalidURL, UnicodeError):
            hosts.add(_raw_host(httpx.URL(value if "://" in value else f"http://{value}")))
    return hosts - {""}
