"""What a person gives to be classified: an address, a file, an archive, told apart and made fit to show."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import UserError
from core.text import safe_text

MAX_LENGTH = 4096
MAX_SHOWN = 300
MAX_PORT = 65535
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?=//|[^\\/])")
# A host with a dot and a path, such as `example.com/a.jpg`, or any host with a port and a path.
_BARE_HOST = re.compile(
    r"([a-zA-Z0-9-]+\.)+[a-zA-Z]{2,24}/\S+"
    r"|([a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]{2,}|\[[0-9a-fA-F:.]+\]):[0-9]+/[^\s@]+"
)
# With one slash too: a browser would forgive it.
_BEFORE_HOST = re.compile(r"(https?:/*|[a-zA-Z][a-zA-Z0-9+.-]*://+|/*)", re.IGNORECASE)
# A name that nobody would take for `user:password`.
_NAMED_HOST = re.compile(r"([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?=[/?#])")
_LOCAL = re.compile(r"/(?!/)|\.{1,2}/|~")
_MAYBE_SECRET = re.compile(r":.*@|[?#].*[=@]", re.DOTALL)
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Source:
    """One picture: an address or a path, or `member` of the archive at that path."""

    place: str
    member: str = ""

    @property
    def shown(self) -> str:
        """This source for people and for history, without secrets and controls."""
        return shown(self.place) + (f"/{safe_text(self.member, MAX_SHOWN)}" if self.member else "")


@dataclass(frozen=True)
class Refusal:
    """A source that has no answer, as it is shown, and why."""

    source: str
    error: UserError


def normalised(source: str) -> str:
    """Return `source` as it will be read: an address gets its scheme, a path stays as it is.

    Raises:
        UserError: it is empty, too long, or of a kind that is not read.
    """
    text = source.strip()
    if not text:
        raise UserError("Nothing to classify was given.", "Give a URL, a file, or a folder.")
    if len(text) > MAX_LENGTH:
        raise UserError(
            f"This source is {len(text):,} characters long; the limit is {MAX_LENGTH:,}.",
            "Check what was pasted.",
        )
    if "\0" in text:
        raise UserError(
            f"{shown(text)} holds a NUL character, as no address or path does.",
            "Check what was pasted; a list has one source a line.",
        )
    if is_url(text):
        return _with_a_port_that_exists(text)
    if exists(source):
        return source
    if _BARE_HOST.fullmatch(text):
        return _with_a_port_that_exists("https://" + text)
    scheme = _SCHEME.match(text)
    if scheme and len(scheme[1]) > 1:
        if "@" in text and "://" not in text:
            raise UserError(
                "This looks like an address with a password, but without its scheme.",
                "Put https:// before it.",
            )
        raise UserError(
            f"Addresses that begin with {safe_text(scheme[1], 20)}: are not read.",
            "Give an http or https address, or the path of a file.",
        )
    return source


def place_of(source: str) -> str:
    """Return where `source` is: `normalised`, and of a path its `~` expanded, here and nowhere else.

    Raises:
        UserError: as `normalised`.
    """
    text = normalised(source)
    return text if is_url(text) else str(Path(_at_home(text)))


def _at_home(path: str) -> str:
    # Not `Path.expanduser`, to which `./~` is a home folder too.
    return os.path.expanduser(path)  # noqa: PTH111


def _with_a_port_that_exists(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        # What else is wrong with it is told where it is fetched.
        return url
    try:
        parts.port  # noqa: B018
    except ValueError:
        raise UserError(
            f"{shown(url)} names a port that does not exist.",
            f"Ports are numbers up to {MAX_PORT:,}; check the address.",
        ) from None
    return url


def is_url(source: str) -> bool:
    """Tell whether `source` is fetched rather than opened."""
    return source.lstrip()[:8].lower().startswith(("http://", "https://"))


def is_archive(path: str) -> bool:
    """Tell whether the file at `path` is read as an archive of pictures, by its name."""
    return path.lower().endswith(".zip")


def is_pattern(source: str) -> bool:
    """Tell whether `source` stands for the files whose names fit it."""
    return _PATTERN.search(source) is not None and not is_url(source)


def is_many(source: str) -> bool:
    """Tell whether `source` may hold more than one picture; looks at the disk."""
    if is_url(source) or not source.strip() or len(source) > MAX_LENGTH:
        return False
    if exists(source):
        return is_archive(source) or os.path.isdir(_at_home(source))  # noqa: PTH112
    text = source.strip()
    return is_pattern(source) and not _SCHEME.match(text) and not _BARE_HOST.fullmatch(text)


def shown(source: str) -> str:
    """Return `source` for people and for history: of an address host and path alone.

    Passwords and signed query strings are never shown nor stored, however malformed the address is;
    what is not there may be such an address, and only what is there is shown in full.
    """
    text = source.strip()
    if not is_url(text) and exists(source):
        return safe_text(source)
    if _LOCAL.match(text) and not _MAYBE_SECRET.search(text):
        return safe_text(source, MAX_SHOWN)
    return safe_text(_without_secrets(text), MAX_SHOWN)


def _without_secrets(text: str) -> str:
    """Return `text` without what may be a user, a password, a query or a fragment.

    A password may hold the characters that end a host, so all up to the last `@` goes first.
    """
    before = _BEFORE_HOST.match(text)
    scheme = before[0] if before else ""
    rest = text[len(scheme) :]
    secret, at, host = rest.rpartition("@")
    if at and not _NAMED_HOST.match(rest):
        authority = re.split(r"[/?#]", secret)[0]
        if ("?" in secret or "#" in secret) and re.fullmatch(r"[^:]*(:\d+)?", authority):
            # A password with a question mark, or a query with an @: nobody can tell.
            return f"{scheme}…"
        rest = host
    return scheme + re.split(r"[?#]", rest)[0]


def exists(path: str) -> bool:
    """Tell whether there is anything at `path`, as it was typed."""
    try:
        return Path(_at_home(path)).exists()
    except (OSError, ValueError):
        return False
