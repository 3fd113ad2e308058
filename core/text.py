"""Whatever comes from outside (names, addresses, messages), made fit to be shown on one line."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator

# Cf: zero-width and bidirectional controls, Cs: undecodable bytes of a file name, Co/Cn: no glyph.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

# Characters from empty to full, which draw where there are no colours.
SHADES = " .:-=+*#%@"


def safe_text(text: object, width: int | None = None) -> str:
    """Return `text` on one line, controls as visible escapes, cut to `width` characters with `…`.

    Undecodable bytes of a file name (surrogate escapes) come out as `\\xff`, other invisible
    characters as `\\u202e`, so that no name can steer the terminal or look like another name.
    """
    shown = "".join(_visible(str(text)))
    if width is not None and len(shown) > width:
        return shown[: max(width - 1, 0)] + "…"
    return shown


def _visible(text: str) -> Iterator[str]:
    for char in text:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            yield f"\\x{code - 0xDC00:02x}"
        elif unicodedata.category(char) in _INVISIBLE:
            escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
            yield escapes.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
        else:
            yield char


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `number` with its noun: `1 picture`, `4,830 pictures`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def megabytes(size: int) -> str:
    """Return a size in bytes as a person would say it: `0.3 MB`, `228 MB`, `4.1 GB`."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Return `seconds` as a person would say it: `45 s`, `14 min`, `2 h 05 min`."""
    whole = max(round(seconds), 0)
    if whole < 100:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes:02} min"


def portable(name: str) -> str:
    """Return a file name as text that JSON can hold: undecodable bytes as NUL and hexadecimal."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "\0" + os.fsencode(name).hex()
    return name


def native(portable_name: str) -> str:
    """Return the file name that `portable` was given."""
    if portable_name.startswith("\0"):
        return os.fsdecode(bytes.fromhex(portable_name[1:]))
    return portable_name


def readable_path(portable_name: str) -> str:
    """Return for people the file name that `portable` was given."""
    return readable(native(portable_name))


def readable(name: str) -> str:
    """Return a file name as valid text for people, undecodable bytes as `\\xff`; controls stay."""
    return os.fsencode(name).decode(errors="backslashreplace")


def slug(name: str) -> str:
    """Return `name` as a folder's name: `[a-z0-9-]`, 1 to 40 characters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "run"


def percent(fraction: float) -> str:
    """Return a fraction as people read it: `92.4 %`."""
    return f"{fraction * 100:.1f} %"
