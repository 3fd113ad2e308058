"""The small pieces of text that all screens are made of: outside text made safe, bars, percents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.errors import UserError
from core.runs.folder import RunSummary
from core.text import safe_text

# So much of a name from outside is shown where it has no line of its own.
NAME_WIDTH = 40


def plain(text: object, style: str = "", width: int | None = None) -> Content:
    """Return text from outside as one line that is never read as markup."""
    return Content.styled(safe_text(text, width), style)


def lines(*parts: Content) -> Content:
    """Return `parts` one under another."""
    return Content("\n").join(parts)


def column(text: object, width: int) -> str:
    """Return text from outside in exactly `width` cells, also where a letter takes two."""
    safe = safe_text(text)
    if cell_len(safe) > width:
        return set_cell_size(safe, max(width - 1, 0)) + "…"
    return set_cell_size(safe, width)


def home_path(path: Path | str) -> str:
    """Return a path with `~` for the home folder, controls made visible."""
    try:
        return safe_text(Path("~") / Path(path).relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return safe_text(path)


def recent_folders(runs: Sequence[RunSummary], most: int) -> list[str]:
    """Return the data folders of `runs`, the last trained on first, each once."""
    newest = sorted(runs, key=lambda run: -run.created)
    return list(dict.fromkeys(run.data for run in newest))[:most]


def tail(text: str, width: int) -> str:
    """Return `text`, cut at its start to `width` cells: the end of a path says the most."""
    if cell_len(text) <= width:
        return text
    return "…" + set_cell_size(text[::-1], max(width - 1, 0))[::-1]


def meter(fraction: float, width: int, ascii_only: bool = False) -> Content:
    """Return a bar of `width` cells, filled to `fraction`."""
    full, rest = ("#", "-") if ascii_only else ("━", "─")
    filled = min(max(round(fraction * width), 0), width)
    return Content.assemble(
        (full * filled, "$primary"), (rest * (width - filled), "$foreground 30%")
    )


def count_bar(part: int, whole: int, width: int, ascii_only: bool = False) -> Content:
    """Return a solid bar of at most `width` cells that is `part` of `whole` long, never empty."""
    cells = max(round(part / whole * width), 1) if part and whole else 0
    return Content.styled(("=" if ascii_only else "▇") * cells, "$primary")


def problem_text(error: UserError) -> Content:
    """Return the two lines of an error: what happened, and the next step."""
    return lines(plain(f"✗ {error.title}", "bold $text-error"), plain(error.hint))
