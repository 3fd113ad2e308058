"""Opens the app from the command line: `run_tui.py [--at DIR] [--ascii] [--mouse]`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from core.errors import UserError
from core.files import expanded
from core.text import safe_text
from tui.console import check_terminal, knows_ascii_alone
from tui.launcher import split_off


def start(words: Sequence[str]) -> int:
    """Open the app as `words` say and return the process' exit code.

    Raises:
        UserError: the words mean nothing, or no terminal could show the app.
    """
    options = _options(words)
    # Before Textual's widgets load: a refusal should come at once.
    check_terminal()

    if (code := split_off()) is not None:
        return code

    # A collection looks through all that Textual has loaded: a tenth of a second beside a training.
    gc.set_threshold(20_000, 20, 50)
    # The threads that draw charts and write frames hand the interpreter on sooner than after 5 ms.
    sys.setswitchinterval(0.001)

    from core.engine import Engine
    from core.settings import read_settings
    from tui.app import AlexNetApp
    from tui.terminal import run

    settings, problems = read_settings()
    ascii_only = options.ascii_only or knows_ascii_alone()
    app = AlexNetApp(Engine(), options.at, ascii_only, settings, problems)
    gc.freeze()
    return run(app, mouse=settings.mouse if options.mouse is None else options.mouse)


class Options(NamedTuple):
    """What the command line says; without a word on the mouse the settings decide."""

    at: Path | None = None
    ascii_only: bool = False
    mouse: bool | None = None


def _options(words: Sequence[str]) -> Options:
    at, ascii_only, mouse = None, False, None
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
        return Options(None, ascii_only, mouse)
    folder = expanded(at)
    if not folder.is_dir():
        raise UserError(f"There is no folder at {safe_text(folder)}.", "Give --at an existing one.")
    # Absolute: nobody takes a `~` in its name for a home folder any more.
    return Options(folder.absolute(), ascii_only, mouse)
