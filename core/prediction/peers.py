"""Where a fetch may connect: what a person typed, but no private machine that a server names."""

from __future__ import annotations

import ipaddress
from typing import Any

import httpx

from core.errors import UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


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

    def follow(self, url: httpx.URL) -> None:
        """Say which address comes next.

        Raises:
            UserError: its text alone names a private machine, which a proxy would hide from us.
        """
        self._redirected = bool(self._host)
        self._host = url.host
        literal = _address(url.host)
        if literal is not None:
            self._check(literal)

    async def watch(self, event: str, info: dict[str, Any]) -> None:
        """Follow a request by httpx's `trace` extension, and end it where it leads astray."""
        if event == "connection.connect_tcp.started":
            # A proxy's own address is the user's choice, and says nothing of the target's.
            self._direct = info["host"].strip("[]") == self._host.strip("[]")
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
    return getattr(address, "ipv4_mapped", None) or address
