"""How many pictures of each class train, validate and test, as a table beside the form."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from core.engine import Inspection, Report, planned_parts
from tui.findings import dealt_words
from tui.words import column, lines, plain

MOST_CLASSES = 200
LEAST_CLASSES = 2
NAME_CELLS = 10
CELLS = (8, 11, 8)


def parts_text(
    inspection: Inspection, split: int, report: Report | None, room: int = MOST_CLASSES
) -> Content:
    """Return in about `room` lines how many pictures of each class fall into each part.

    Those of the real deal where the doctor has made one, else those that are planned.
    """
    if inspection.problem is not None:
        return Content("")
    note = plain(dealt_words(inspection.dealt, of_split=True), "$text-muted")
    notes = [Content(""), note] if inspection.dealt else []
    # The head, the sum, and the line that says how many classes there are beyond.
    most = max(room - 4 - 4 * len(notes), LEAST_CLASSES)
    if report is not None:
        pictures = report.classes
    else:
        pictures = {found.name: found.pictures for found in inspection.classes}
    if not pictures:
        return Content("")
    if report is not None and report.parts:
        table = _table("class", list(pictures), report.parts, most)
    elif report is not None or inspection.dealt:
        # Not dealt at all, or otherwise than by the plan.
        table = _table("class", list(pictures), [(number,) for number in pictures.values()], most)
    else:
        table = _table("planned", list(pictures), planned_parts([*pictures.values()], split), most)
    return lines(*table, *notes, Content(""))


def _table(
    corner: str, names: Sequence[str], counts: Sequence[Sequence[int]], most: int
) -> list[Content]:
    """Return the head, a row for each of the first `most` classes, and the sum over all."""
    heads = ("train", "validation", "test") if len(counts[0]) > 1 else ("pictures",)
    # Two folders whose names read alike are one class in a report.
    pairs = list(zip(names, counts, strict=False))
    rows = [Content(_row(column(name, NAME_CELLS), cells)) for name, cells in pairs[:most]]
    if len(pairs) > most:
        rows.append(Content(f"… and {len(pairs) - most:,} more classes"))
    total = _row("all", tuple(sum(numbers) for numbers in zip(*counts, strict=True)))
    head = _row(corner, heads)
    return [Content.styled(head, "bold"), *rows, Content.styled(total, "bold")]


def _row(name: str, cells: Sequence[object]) -> str:
    shown = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return f"{name:<{NAME_CELLS}}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(shown, CELLS, strict=False)
    )
