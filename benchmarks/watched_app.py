"""The app as `run_tui.py` opens it, and a note of every time that its event loop came late.

    SCREEN_LAGS=FILE python -m benchmarks.watched_app [--at DIR]

Each line of FILE is a time (monotonic seconds) and by how many seconds a sleep of 5 ms was overrun.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from time import monotonic

from core.engine import Engine
from tui.app import AlexNetApp
from tui.terminal import run

EVERY = 0.005
WORTH_NOTING = 0.02


class WatchedApp(AlexNetApp):
    """Notes when its loop was held up."""

    def on_mount(self) -> None:
        self._lags = Path(os.environ["SCREEN_LAGS"]).open("a", buffering=1)  # noqa: SIM115
        self._watching = asyncio.create_task(self._watch_loop())

    async def _watch_loop(self) -> None:
        while True:
            began = monotonic()
            await asyncio.sleep(EVERY)
            late = monotonic() - began - EVERY
            if late > WORTH_NOTING:
                print(f"{began:.3f} {late:.3f}", file=self._lags)


def main(words: list[str]) -> int:
    """Run the app on this terminal."""
    at = Path(words[words.index("--at") + 1]) if "--at" in words else None
    return run(WatchedApp(Engine(), at=at))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
