"""What stands over a chart: its title, and its legend or what the crosshair reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tui.widgets.glyphs import Role, Row

_LEAST_LABEL = 3


class Entry(NamedTuple):
    """A curve in the head: its glyph, its role, its label, and its value under the crosshair."""

    sample: str
    role: Role
    label: str
    value: str = ""


def legend(title: str, entries: Sequence[Entry], width: int, more: str) -> Row:
    """Return the title on the left and the labels on the right, cut so that both fit."""
    labels = [entry.label for entry in entries]
    gap = 2 if _width(title, labels, 2) <= width else 1
    while _width(title, labels, gap) > width and labels:
        longest = max(range(len(labels)), key=lambda i: cell_len(labels[i]))
        room = cell_len(labels[longest]) - 1
        if room < _LEAST_LABEL:
            break
        labels[longest] = cut(labels[longest], room, more)
    return _row(((title, "title"),), entries, labels, (width, gap), more)


def readings(
    title: str, where: str, entries: Sequence[Entry], width: int, rows: int, more: str
) -> list[Row]:
    """Return where the crosshair stands and what it reads, on one row or, where needed, on two."""
    full = [f"{entry.label} {entry.value}" for entry in entries]
    brief = [entry.value for entry in entries]
    place: Row = ((title, "title"), (f"  {where}", "cursor"))
    for texts in (full, brief) if rows < 2 else (full,):
        if _width(title + "  " + where, texts, 2) <= width:
            return [_row(place, entries, texts, (width, 2), more)]
    if rows < 2 and _width(where, brief, 1) <= width:
        return [_row(((where, "cursor"),), entries, brief, (width, 1), more)]
    texts = full if _width("", full, 2) <= width else brief
    values = _row((), entries, texts, (width, 2 if _width("", texts, 2) <= width else 1), more)
    return [_row(place, (), (), (width, 2), more), values] if rows >= 2 else [values]


def _row(
    left: Row,
    entries: Sequence[Entry],
    texts: Sequence[str],
    size: tuple[int, int],
    more: str,
) -> Row:
    """Return `left` and, on the right, as many entries as fit; `size` is the width and the gap."""
    width, gap = size
    row: list[tuple[str, Role]] = []
    room = width
    for text, role in left:
        row.append((cut(text, room, more), role))
        room -= cell_len(row[-1][0])
    while texts and _width("", texts, gap) > room:
        entries, texts = entries[:-1], texts[:-1]
    if texts:
        row.append((" " * (room - _width("", texts, gap)), "label"))
    for entry, text in zip(entries, texts, strict=True):
        row += [(" " * gap, "label"), (entry.sample, entry.role), (f" {text}", "label")]
    return tuple(row)


def _width(title: str, texts: Sequence[str], gap: int) -> int:
    return cell_len(title) + sum(gap + 2 + cell_len(text) for text in texts)


def cut(text: str, width: int, more: str) -> str:
    """Return `text` in at most `width` cells; wide characters are never halved."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + more if width > 0 else ""
