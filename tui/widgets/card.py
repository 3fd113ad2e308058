"""What a folder is: its classes with their counts, a few pictures, what was found, or why it will not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.engine import ClassCount, Inspection, Picture, Report
from core.text import count, safe_text
from tui.findings import broken, data_lines, dealt_words, hanging, usable, without_hopeless
from tui.words import column, count_bar, home_path, lines, plain, problem_text

if TYPE_CHECKING:
    from tui.app import AlexNetApp

SAMPLES = 3
NAME_CELLS = 16
COUNT_CELLS = 10
MOST_CELLS = 80
# With so few lines none is left empty below the path.
FEW_LINES = 14
# Pictures are shown where so many lines are left for the classes, or as many as there are.
LEAST_CLASSES = 3


class FolderCard(VerticalScroll, can_focus=False):
    """The right side of the screen on which data is chosen; no key scrolls it, so the classes fill what is left."""

    def compose(self) -> ComposeResult:
        yield Static("", id="what", markup=False)
        yield Horizontal(id="samples")
        yield Static("", id="classes", markup=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._inspection: Inspection | None = None
        self._report: Report | None = None
        self._said = Content("")
        # Whether there are pictures to be shown.
        self._pictured = False

    def on_resize(self) -> None:
        self._paint()

    def wait_for(self, folder: Path) -> None:
        """Say that `folder` is being looked at."""
        self._inspection = None
        self.query_one("#what", Static).update(plain(f"looking at {home_path(folder)} …"))
        self.query_one("#classes", Static).update("")
        self.query_one("#samples").display = False

    def show(
        self, inspection: Inspection, report: Report | None = None, said: Content | None = None
    ) -> None:
        """Show what a folder is, once it was examined what was found, and what was `said` of that."""
        if inspection is not self._inspection:
            # Their place is kept until they are read, so that the classes stay where they are.
            self._pictured = bool(inspection.samples)
            self.query_one("#samples").visible = False
        self._inspection, self._report, self._said = inspection, report, said or Content("")
        self._paint()
        self.scroll_home()

    def _paint(self) -> None:
        if self._inspection is None:
            return
        app = cast("AlexNetApp", self.app)
        # Without the padding and a scrollbar that may come.
        room = max(min(self.size.width - 2, MOST_CELLS), 10)
        what = [
            plain(home_path(self._inspection.folder), "bold"),
            *([Content("")] if self.size.height > FEW_LINES else []),
            *_verdict(self._inspection, self._report, room, app.key),
            *([self._said, Content("")] if self._said else []),
            *(
                [*data_lines(self._report, app.key("browse.findings"), room), Content("")]
                if self._report
                else []
            ),
        ]
        while not what[-1]:
            what.pop()
        classes, left_out = _classes(self._inspection, self._report, room)
        # One line is empty below the words, and above the pictures.
        left = self.scrollable_content_region.height - len(left_out) - 1
        left -= lines(*what).get_height({}, max(self.scrollable_content_region.width, 1))
        samples = self.query_one("#samples", Horizontal)
        tall = (samples.styles.height and samples.styles.height.cells) or 0
        samples.display = self._pictured and left - tall >= min(len(classes), LEAST_CLASSES)
        if samples.display:
            left -= tall
        else:
            what.append(Content(""))
        self.query_one("#what", Static).update(lines(*what))
        shown = class_lines(classes, room, app.ascii_only, max(left, 1))
        self.query_one("#classes", Static).update(lines(*shown, *left_out))

    async def show_pictures(self, pictures: Sequence[Picture]) -> None:
        """Show `pictures` beside one another."""
        from tui.widgets.picture import PictureView

        samples = self.query_one("#samples", Horizontal)
        await samples.remove_children()
        views = [PictureView() for _ in pictures]
        await samples.mount_all(views)
        for view, picture in zip(views, pictures, strict=True):
            view.show(picture)
        self._pictured = samples.visible = bool(views)
        self._paint()


def _verdict(
    inspection: Inspection, report: Report | None, width: int, key: Callable[[str], str]
) -> Iterator[Content]:
    """Yield whether the folder can be trained on, by its names or once it was examined by its pictures."""
    if inspection.problem is not None:
        yield problem_text(inspection.problem)
    elif report is not None and not report.trainable:
        yield hanging(f"✗ {report.problem}", "bold $text-error", width)
    elif report is not None:
        yield hanging(f"✓ {usable(report)}", "$text-success", width)
        yield hanging(
            f"  can be trained on: enter or {key('browse.train')}", "$foreground 60%", width
        )
    else:
        pictures = count(inspection.pictures, "picture")
        kinds = count(len(inspection.classes), "class", "classes")
        yield Content.styled(f"✓ {pictures} in {kinds}", "$text-success")
        yield hanging(
            f"  enter or {key('browse.train')}: train on this folder", "$foreground 60%", width
        )
    if inspection.dealt and inspection.problem is None:
        yield hanging(f"  {dealt_words(inspection.dealt)}", "$foreground 60%", width)
    yield Content("")
    if few := without_hopeless(inspection, report):
        out = (key("browse.leave_out"), "bold $text-accent")
        yield Content.assemble(out, plain(f": train without {few}"))
    if inspection.suggestion is not None:
        yield Content.assemble(
            (key("browse.suggested"), "bold $text-accent"),
            ": go to ",
            home_path(inspection.suggestion),
        )


def _classes(
    inspection: Inspection, report: Report | None, width: int
) -> tuple[Sequence[ClassCount], list[Content]]:
    """Return the classes with their counts, of usable pictures where those are known, and what is no class."""
    if report is not None:
        return [ClassCount(name=name, pictures=n) for name, n in report.classes.items()], []
    if not inspection.left_out:
        return inspection.classes, []
    left_out = count(inspection.left_out, "entry", "entries")
    words = f"{left_out} left out: not a class folder, or not a picture"
    return inspection.classes, [
        Content.styled(line, "$foreground 60%") for line in broken(words, width)
    ]


def class_lines(
    classes: Sequence[ClassCount], width: int, ascii_only: bool, most: int
) -> list[Content]:
    """Return a line per class: name, bar, count; the rest in one line where they are more than `most`."""
    largest = max((found.pictures for found in classes), default=0)
    whole = len(classes)
    classes = classes if whole <= most else classes[: most - 1]
    longest = max((cell_len(safe_text(found.name)) for found in classes), default=0)
    room = min(longest, NAME_CELLS)
    bar = max(width - room - COUNT_CELLS, 2)
    shown = [
        Content.assemble(
            f"{column(found.name, room)} ",
            count_bar(found.pictures, largest, bar, ascii_only),
            f" {found.pictures:,}",
        )
        for found in classes
    ]
    if more := whole - len(classes):
        shown.append(Content(f"… and {count(more, 'more class', 'more classes')}"))
    return shown
