"""What a folder is: its classes with their counts, a few pictures, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.engine import ClassCount, Inspection, Picture
from core.text import count, safe_text
from tui.words import column, count_bar, home_path, lines, plain, problem_text

SAMPLES = 3
NAME_CELLS = 16
COUNT_CELLS = 10
MOST_CELLS = 80


class FolderCard(VerticalScroll, can_focus=False):
    """The right side of the screen on which data is chosen."""

    def compose(self) -> ComposeResult:
        yield Static("", id="what", markup=False)
        yield Horizontal(id="samples")

    def wait_for(self, folder: Path) -> None:
        """Say that `folder` is being looked at."""
        self.query_one("#what", Static).update(plain(f"looking at {home_path(folder)} …"))
        self.query_one("#samples").display = False

    def show(self, inspection: Inspection) -> None:
        """Show what `inspection` found."""
        ascii_only = bool(getattr(self.app, "ascii_only", False))
        room = min(self.size.width, MOST_CELLS)
        self.query_one("#what", Static).update(card_text(inspection, room, ascii_only))
        self.scroll_home()

    async def show_pictures(self, pictures: Sequence[Picture]) -> None:
        """Show `pictures` beside one another."""
        from tui.widgets.picture import PictureView

        samples = self.query_one("#samples", Horizontal)
        await samples.remove_children()
        views = [PictureView() for _ in pictures]
        await samples.mount_all(views)
        for view, picture in zip(views, pictures, strict=True):
            view.show(picture)
        samples.display = bool(views)


def card_text(inspection: Inspection, width: int, ascii_only: bool = False) -> Content:
    """Return in words and bars what a folder is."""
    parts = [plain(home_path(inspection.folder), "bold"), Content("")]
    if inspection.problem is not None:
        parts += [problem_text(inspection.problem), Content("")]
    else:
        kinds = count(len(inspection.classes), "class", "classes")
        parts += [
            Content.styled(
                f"✓ {count(inspection.pictures, 'picture')} in {kinds}", "$text-success"
            ),
            Content.styled("  enter or t: train on this folder", "$foreground 60%"),
            Content(""),
        ]
    if inspection.suggestion is not None:
        parts.append(
            Content.assemble(
                ("g", "bold $text-accent"), ": go to ", home_path(inspection.suggestion)
            )
        )
    parts += class_lines(inspection.classes, width, ascii_only)
    if inspection.left_out:
        parts.append(
            Content.styled(
                f"{count(inspection.left_out, 'entry', 'entries')} left out: not a class folder, or not a picture",
                "$foreground 60%",
            )
        )
    return lines(*parts)


def class_lines(
    classes: Sequence[ClassCount], width: int, ascii_only: bool, most: int = 30
) -> list[Content]:
    """Return a line per class: name, bar, count; the rest in one line."""
    largest = max((found.pictures for found in classes), default=0)
    longest = max((cell_len(safe_text(found.name)) for found in classes[:most]), default=0)
    room = min(longest, NAME_CELLS)
    bar = max(width - room - COUNT_CELLS, 2)
    shown = [
        Content.assemble(
            f"{column(found.name, room)} ",
            count_bar(found.pictures, largest, bar, ascii_only),
            f" {found.pictures:,}",
        )
        for found in classes[:most]
    ]
    if len(classes) > most:
        shown.append(Content(f"… and {len(classes) - most:,} more classes"))
    return shown
