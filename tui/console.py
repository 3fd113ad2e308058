"""The terminal without Textual: whether the app can be shown on it, and how it is given back."""

from __future__ import annotations

import os
import sys
import termios
from contextlib import suppress
from typing import Any

from core.errors import UserError
from core.text import safe_text

_VERBS = "Without one use a verb: run_tui.py train, watch, classify (run_tui.py --help lists all)."
# All that Textual switches on, switched off, in an order that any terminal takes.
RESTORE = (
    b"\x1b[?2026l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?1004l\x1b[?2004l"
    b"\x1b[?2048l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)
# Their fonts have a few hundred letters: lines and blocks perhaps, never the dots of the charts.
_PLAIN_TERMINALS = frozenset({"linux", "vt100", "vt102", "vt220", "ansi"})


def check_terminal() -> None:
    """Refuse to start where the app could not be shown.

    Raises:
        UserError: what is missing, and what to do about it.
    """
    for descriptor, name in enumerate(("input", "output", "error")):
        if not os.isatty(descriptor):
            raise UserError(f"this program needs a terminal: standard {name} is not one", _VERBS)
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise UserError(f"a terminal of type {safe_text(repr(term), 40)} cannot show it", _VERBS)
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        encoding = stream.encoding if stream is not None else "none"
        if encoding.lower().replace("-", "") != "utf8":
            raise UserError(
                f"this program needs a terminal with UTF-8, not {safe_text(encoding, 40)}",
                f"Try: PYTHONIOENCODING=utf-8 LC_ALL=C.UTF-8 run_tui.py. {_VERBS}",
            )


def knows_ascii_alone() -> bool:
    """Tell whether the terminal is of a kind whose font lacks what charts are drawn with."""
    return os.environ.get("TERM", "") in _PLAIN_TERMINALS


def restore_terminal(attributes: list[Any]) -> None:
    """Give the terminal back without waiting for it: it may be the reason for all this."""
    with suppress(OSError, termios.error):
        termios.tcsetattr(0, termios.TCSANOW, attributes)
        # Opened anew, so that not to block is only ours and not the shell's.
        terminal = os.open(os.ttyname(0), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(terminal, RESTORE)
        os.close(terminal)
