"""The one command: without a verb the app in the terminal, with a verb the same without a screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence

APP_OPTIONS = ("--at", "--no-mouse", "--mouse", "--ascii")


def main(words: Sequence[str] | None = None) -> int:
    """Open the app or do what the verb says; return the exit code."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0].split("=")[0] in APP_OPTIONS:
        from tui.start import start

        return start(words)
    from core.cli import main as headless

    return headless(words)


if __name__ == "__main__":
    sys.exit(main())
