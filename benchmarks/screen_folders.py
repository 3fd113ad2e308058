"""Rows on folders of many files and of many folders: the screen must not freeze on either."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from benchmarks.screen_lab import DOWN, ENTER, Figure, Lab, app, listen, settle
from benchmarks.screen_quiet import longest

FILES, FOLDERS = 100_000, 10_000
MOST_MS = 100


def folders(lab: Lab) -> list[Figure]:
    """The loop's longest delay while such a folder is opened, walked through and typed."""
    figures = []
    for name, make in (("files", _files), ("folders", _folders)):
        outer = lab.folder / name
        large = outer / "large"
        large.mkdir(parents=True)
        number = make(large)
        late = _opened(lab, outer, large)
        what = f"longest freeze on a folder of {number:,} {name}"
        figures.append(Figure("folders", what, 1000 * late, "ms", MOST_MS))
    return figures


def _files(folder: Path) -> int:
    for part in ("happy", "sad"):
        (folder / part).mkdir()
        for number in range(FILES // 2):
            (folder / part / f"{number:06}.jpg").touch()
    return FILES


def _folders(folder: Path) -> int:
    for number in range(FOLDERS):
        (folder / f"class {number:05}").mkdir()
    return FOLDERS


def _opened(lab: Lab, outer: Path, large: Path) -> float:
    """Return by how many seconds the loop was late at most."""
    lags = lab.folder / f"{outer.name}.lags"
    lags.touch()
    seen = {"SCREEN_LAGS": str(lags)}
    words = ("--at", str(outer))
    with app(lab, *words, module="benchmarks.watched_app", environment=seen) as terminal:
        terminal.wait_for("Train a model", timeout=60)
        terminal.send("1")
        terminal.wait_for("large", timeout=60)
        settle(terminal, 1)
        # The screen itself is open; from here on it is the folder.
        began = monotonic()
        for keys in (DOWN, "l", DOWN * 5, "p", str(large) + ENTER, DOWN * 5):
            terminal.send(keys)
            listen(terminal, 3)
        return longest(lags, began)
