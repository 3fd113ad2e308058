"""Whether a folder of any size freezes the screen on which data is chosen.

    python -m benchmarks.browse_folders [--files 100000] [--folders 10000] [--rounds 3]

Makes a data folder with one class of very many empty picture files, and one of very many class
folders, opens each with the real engine in an app of 120x40 without a terminal, expands its tree, and
shows the longest time in which the app's loop did not turn: while so long no key is answered. Where
other programs keep the processor busy, the loop's own work in a turn says more.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from textual.widgets.directory_tree import DirEntry
from textual.widgets.tree import TreeNode

from core.engine import Engine
from tui.app import AlexNetApp
from tui.screens.browse import Browse
from tui.widgets.folders import FolderTree

PROBE_SECONDS = 0.001
DEADLINE_SECONDS = 120.0


class Lag:
    """The longest time between two turns of the loop, in seconds, and the loop's own work in one turn."""

    longest = 0.0
    longest_work = 0.0

    async def probe(self) -> None:
        """Measure until cancelled."""
        while True:
            before, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(PROBE_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - before - PROBE_SECONDS)
            self.longest_work = max(self.longest_work, time.thread_time() - worked)


@asynccontextmanager
async def measured() -> AsyncIterator[Lag]:
    """Measure how long the running loop does not turn."""
    lag = Lag()
    probe = asyncio.create_task(lag.probe())
    try:
        yield lag
    finally:
        probe.cancel()


class Opened(NamedTuple):
    """How a step went, in seconds: the longest freeze, the loop's own work in it, until all was shown."""

    freeze: float
    work: float
    complete: float


async def open_folder(data: Path) -> dict[str, Opened]:
    """Open `data` on the screen, then expand the first folder in its tree."""
    results = {}
    app = AlexNetApp(Engine(), at=data.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("1")
        await _until(lambda: isinstance(pilot.app.screen, Browse))
        screen = pilot.app.screen
        assert isinstance(screen, Browse)
        tree = screen.query_one(FolderTree)
        await _until(lambda: screen.inspection is not None and tree.root.children)
        async with measured() as lag:
            began = time.perf_counter()
            screen.go_to(str(data))
            await _until(lambda: _is_shown(screen, data))
            results["open"] = Opened(lag.longest, lag.longest_work, time.perf_counter() - began)
        async with measured() as lag:
            began = time.perf_counter()
            tree.cursor_line = 1
            node = tree.root.children[0]
            tree.action_open()
            await _until(lambda: _is_looked_at(screen, node) and not tree.is_counting)
            complete = time.perf_counter() - began
            await pilot.press("end", "home")
            results["expand"] = Opened(lag.longest, lag.longest_work, complete)
    return results


def _is_shown(screen: Browse, data: Path) -> bool:
    found = screen.inspection
    tree = screen.query_one(FolderTree)
    filled = Path(tree.path) == data and bool(tree.root.children)
    return found is not None and found.folder == data and filled


def _is_looked_at(screen: Browse, node: TreeNode[DirEntry]) -> bool:
    assert node.data is not None
    return screen.inspection is not None and screen.inspection.folder == node.data.path


async def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the folder was never shown")
        await asyncio.sleep(0.005)


def many_files(root: Path, number: int) -> Path:
    """Make a data folder whose first class has `number` picture files, all empty."""
    for name in ("happy", "sad"):
        (root / name).mkdir(parents=True)
    for index in range(number):
        (root / "happy" / f"face-{index:06}.jpg").touch()
    for index in range(3):
        (root / "sad" / f"face-{index}.jpg").touch()
    return root


def many_folders(root: Path, number: int) -> Path:
    """Make a data folder with `number` classes of three empty picture files."""
    for index in range(number):
        folder = root / f"person-{index:05}"
        folder.mkdir(parents=True)
        for picture in range(3):
            (folder / f"{picture}.jpg").touch()
    return root


def main() -> None:
    """Measure both folders and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folders", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            f"{options.files:,} files": many_files(Path(scratch, "a", "files"), options.files),
            f"{options.folders:,} folders": many_folders(
                Path(scratch, "b", "folders"), options.folders
            ),
        }
        print("| folder | step | longest freeze | its own work | complete after |")
        print("|---|---|---|---|---|")
        for name, data in folders.items():
            rounds = [asyncio.run(open_folder(data)) for _ in range(options.rounds)]
            for step in rounds[0]:
                freeze, work, complete = map(
                    max, zip(*(found[step] for found in rounds), strict=True)
                )
                times = f"{freeze * 1000:.0f} ms | {work * 1000:.0f} ms | {complete:.2f} s"
                print(f"| {name} | {step} | {times} |")


if __name__ == "__main__":
    main()
