"""Opens the app from the command line: `run_tui.py [--at DIR] [--ascii] [--mouse]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import UserError
from core.text import safe_text
from tui.console import check_terminal, knows_ascii_alone
from tui.launcher import split_off


def start(words: Sequence[str]) -> int:
    """Open the app as `words` say and return the process' exit code.

    Raises:
        UserError: the words mean nothing, or no terminal could show the app.
    """
    at, ascii_only, mouse = _options(words)
    # Before Textual's widgets load: a refusal should come at once.
    check_terminal()

    if (code := split_off()) is not None:
        return code

    from core.engine import Engine
    from tui.app import AlexNetApp
    from tui.terminal import run

    ascii_only = ascii_only or knows_ascii_alone()
    return run(AlexNetApp(Engine(), at=at, ascii_only=ascii_only), mouse=mouse)


def _options(words: Sequence[str]) -> tuple[Path | None, bool, bool]:
    at, ascii_only, mouse = None, False, False
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--at="):
            at = word.removeprefix("--at=")
        elif word == "--at" and left:
            at = left.pop(0)
        elif word == "--ascii":
            ascii_only = True
        elif word in ("--mouse", "--no-mouse"):
            mouse = word == "--mouse"
        else:
            raise UserError(
                f"“{safe_text(word, 60)}” is not understood here.",
                "The app takes --at DIR, --ascii, --mouse, --no-mouse; see run_tui.py --help.",
            )
    if at is None:
        return None, ascii_only, mouse
    folder = Path(at).expanduser()
    if not folder.is_dir():
        raise UserError(f"There is no folder at {safe_text(folder)}.", "Give --at an existing one.")
    return folder, ascii_only, mouse
