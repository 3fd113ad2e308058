"""Writes what the README shows and the program knows: the table of keys, the picture of a real run.

    python -m benchmarks.readme [RUN]

With a run folder or its name, `docs/dashboard.svg` is drawn anew from that run's own events.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.engine import Engine
from core.runs.folder import RunFolder
from tui.app import AlexNetApp
from tui.commands import markdown_table

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEFORE_KEYS = "## Keys\n\n"
COLUMNS, ROWS = 120, 34


def main(words: list[str]) -> None:
    text = README.read_text().partition(BEFORE_KEYS)[0]
    README.write_text(text + BEFORE_KEYS + markdown_table())
    for run in words:
        asyncio.run(draw(RunFolder.find(run), ROOT / "docs" / "dashboard.svg"))


async def draw(run: RunFolder, target: Path) -> None:
    """Save the dashboard of `run` as Textual itself draws it."""
    from tui.screens.dashboard import Dashboard

    app = AlexNetApp(Engine())
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await app.push_screen(Dashboard(run))
        for _ in range(20):
            await pilot.pause(0.2)
        target.write_text(app.export_screenshot(title="AlexNet in your terminal"))


if __name__ == "__main__":
    main(sys.argv[1:])
