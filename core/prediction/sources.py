"""What a person gives to be classified: an address, a file, an archive, told apart and made fit to show."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from core.errors import UserError
from core.files import expanded
from core.text import safe_text

MAX_LENGTH = 4096
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?=//|[^\\/])")
# A host with a dot and a path, such as `example.com/a.jpg`.
_BARE_HOST = re.compile(r"(www\.)?[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,24}(:\d+)?/\S+")
_SECRET_BEFORE_HOST = re.compile(r"^\s*[^/@\s]*:[^/@]*@")
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Source:
    """One picture: an address or a path, or `member` of the archive at that path."""

    place: str
    member: str = ""

    @property
    def shown(self) -> str:
        """This source for people and for history, without secrets and controls."""
        return shown(self.place) + (f"/{safe_text(self.member)}" if self.member else "")


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
    if is_url(text):
        return text
    if exists(source):
        return source
    scheme = _SCHEME.match(text)
    if scheme and len(scheme[1]) > 1:
        if _SECRET_BEFORE_HOST.match(text) and "//" not in text:
            raise UserError(
                "This looks like an address with a password, but without its scheme.",
                "Put https:// before it.",
            )
        raise UserError(
            f"Addresses that begin with {safe_text(scheme[1], 20)}: are not read.",
            "Give an http or https address, or the path of a file.",
        )
    if _BARE_HOST.fullmatch(text):
        return "https://" + text
    return source


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
        return is_archive(source) or os.path.isdir(expanded(source))  # noqa: PTH112
    return is_pattern(source) and not _SCHEME.match(source.strip())


def shown(source: str) -> str:
    """Return `source` for people and for history: of an address host and path alone.

    Passwords and signed query strings are never shown nor stored.
    """
    text = source.strip()
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        if _SECRET_BEFORE_HOST.match(text) and not exists(source):
            text = text.split("?")[0].rpartition("@")[2]
        elif _BARE_HOST.fullmatch(text) and not exists(source):
            text = text.split("?")[0]
        else:
            text = source
        return safe_text(text)
    try:
        parts: SplitResult = urlsplit(text)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return safe_text(text.split("?")[0].split("#")[0].rpartition("@")[2], 200)
    host = f"[{host}]" if ":" in host else host
    return safe_text(f"{parts.scheme}://{host}{port}{parts.path}")


def exists(path: str) -> bool:
    """Tell whether there is anything at `path`."""
    try:
        return expanded(path).exists()
    except (OSError, ValueError):
        return False
