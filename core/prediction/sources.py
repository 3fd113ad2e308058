"""What a person gives to be classified: an address, a file, or a folder, told apart and made fit to show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from core.dataset.folder import is_picture, is_system
from core.errors import UserError
from core.files import expanded
from core.text import safe_text

MAX_LENGTH = 4096
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?=//|[^\\/])")
# A host with a dot and a path, such as `example.com/a.jpg`.
_BARE_HOST = re.compile(r"(www\.)?[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,24}(:\d+)?/\S+")


def normalised(source: str) -> str:
    """Return `source` as it will be read: an address gets its scheme, a path its home folder.

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
    if is_url(text) or _exists(source):
        return text if is_url(text) else source
    scheme = _SCHEME.match(text)
    if scheme and len(scheme[1]) > 1:
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


def shown(source: str) -> str:
    """Return `source` for people and for history: of an address host and path alone.

    Passwords and signed query strings are never shown nor stored.
    """
    if not is_url(source):
        return safe_text(source)
    try:
        parts: SplitResult = urlsplit(source.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return safe_text(source.split("?")[0].rsplit("@")[-1], 200)
    host = f"[{host}]" if ":" in host else host
    return safe_text(f"{parts.scheme}://{host}{port}{parts.path}")


def expand(source: str) -> Iterator[str]:
    """Yield the single sources in `source`: itself, or the pictures below a folder by name.

    Raises:
        UserError: as `normalised`; or the folder holds no picture.
    """
    source = normalised(source)
    path = None if is_url(source) else expanded(source)
    if path is None or not os.path.isdir(path):  # noqa: PTH112
        yield source if path is None else str(path)
        return
    empty = True
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_system(name))
        for name in sorted(files):
            if is_picture(name):
                empty = False
                yield str(Path(folder) / name)
    if empty:
        raise UserError(
            f"There are no pictures in {safe_text(path)}.", "Choose another folder, or a file."
        )


def _exists(source: str) -> bool:
    try:
        return expanded(source).exists()
    except (OSError, ValueError):
        return False
