"""The one command: without a verb the app in the terminal, with a verb the same without a screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.errors import UserError
    from core.settings import Settings

APP_OPTIONS = ("--at", "--ascii", "--mouse", "--no-mouse")


def main(words: Sequence[str] | None = None) -> int:
    """Open the app or do what the verb says; return the exit code."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0].split("=")[0] in APP_OPTIONS:
        return _open_app(words)
    from core.cli import main as headless

    return headless(words, _check_settings)


def _check_settings(settings: Settings) -> list[UserError]:
    """Have the screens judge what `core` knows nothing of; loaded by the one verb that asks."""
    from tui.keymap import check_settings

    return check_settings(settings)


def _open_app(words: Sequence[str]) -> int:
    from core.errors import UserError
    from tui.start import start

    try:
        return start(words)
    except UserError as error:
        from core.printing import complain

        complain(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
