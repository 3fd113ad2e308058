"""What a process imports: the screen nothing heavy, the core nothing of the screen."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "numpy", "PIL", "httpx", "plotext", "textual_plotext")


def imported(code: str) -> set[str]:
    """Return the modules that are loaded after `code` ran in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('MODULES', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.rpartition("MODULES ")[2].split())


SHOW_HOME = """
import asyncio
from core.engine import Engine
from tui.app import AlexNetApp

async def main():
    app = AlexNetApp(Engine())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.screen.SECTION == "home"

asyncio.run(main())
"""


def test_the_first_screen_loads_nothing_heavy() -> None:
    modules = imported(SHOW_HOME)
    assert "tui.screens.home" in modules
    assert not modules & set(HEAVY)
    assert not [
        name
        for name in modules
        if name.startswith("tui.screens.")
        and name.count(".") == 2
        and name not in ("tui.screens.home", "tui.screens.page")
    ]


def test_no_screen_loads_torch() -> None:
    modules = imported(
        "import tui.screens.browse, tui.screens.configure, tui.screens.dashboard,"
        " tui.screens.classify, tui.screens.runs, tui.screens.demo, tui.screens.help,"
        " tui.screens.findings, tui.screens.overlay, tui.screens.compare, tui.screens.report"
    )
    assert not modules & {"torch", "torchvision", "numpy", "PIL", "httpx"}


def test_the_core_that_the_screen_uses_knows_no_screen() -> None:
    modules = imported("import core.engine, core.config, core.runs.folder, core.runs.snapshot")
    assert not {
        name for name in modules if name.split(".")[0] in ("textual", "rich", "tui", *HEAVY)
    }
