"""The report of a run: its test, its confusion matrix, its classes, and its mistakes as pictures."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import Literal

from textual import on, work
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from core.engine import Outcome
from core.errors import UserError
from core.runs.events import Evaluated
from core.runs.folder import RunFolder
from core.text import readable, safe_text
from tui import messages, results
from tui.commands import section_bindings
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.facts import Facts
from tui.widgets.line import Line
from tui.widgets.matrix import ConfusionMatrix
from tui.widgets.mistakes import MistakeList
from tui.widgets.problem import Problem
from tui.widgets.rows import Part as Style
from tui.widgets.rows import Rows

# Beyond so many classes the pairs that are confused most come before the matrix.
GRID_CLASSES = 20

PartName = Literal["summary", "matrix", "classes", "mistakes"]
PARTS: tuple[PartName, ...] = ("summary", "matrix", "classes", "mistakes")
# In which parts a key means something, where it does not in all of them.
_ONLY_IN: dict[str, tuple[PartName, ...]] = {
    "open": ("matrix", "classes", "mistakes"),
    "pairs": ("matrix",),
    "shares": ("matrix",),
    "sort": ("classes",),
    "unsure": ("mistakes",),
    "all": ("mistakes",),
    "copy": ("mistakes",),
}


class RunReport(Page):
    """Four parts of one report, of which one is shown; nothing is read but what the run has left."""

    SECTION = "report"
    BINDINGS = section_bindings("report")

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run
        self.found: Outcome | None = None
        self.part: PartName = "summary"
        self.sorted_by = results.SORTS[0]
        self._longest = results.LEAST_NAME
        # The part from which one has come to the pictures of a cell or of a class.
        self._came_from: PartName = "matrix"

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Line(id="parts")
        yield Facts(id="summary")
        pairs = Rows(self._pair, id="pairs")
        pairs.display = False
        yield Vertical(ConfusionMatrix(), pairs, Line(id="cell"), id="matrix")
        heads, rows = Line(id="class-head"), Rows(self._class, id="rows")
        yield Vertical(heads, rows, Line(id="class"), id="classes")
        yield MistakeList(id="mistakes")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    @property
    def matrix(self) -> ConfusionMatrix:
        return self.query_one(ConfusionMatrix)

    @property
    def mistakes(self) -> MistakeList:
        return self.query_one(MistakeList)

    @property
    def tested(self) -> Evaluated | None:
        """The test's figures, None as long as they are not known, or where there are none."""
        return self.found.now.evaluated if self.found is not None else None

    def on_mount(self) -> None:
        self._say("title", results.title(None, self.run.name))
        self.query_one(CommandLine).show(["watch", self.run.name])
        self._show_part()
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Read what the run has left, then show it."""
        try:
            found = self.found = await self.engine.outcome(self.run)
        except OSError as error:
            title = f"The run {self.run.name} cannot be read: {error.strerror}."
            self.query_one(Problem).show(UserError(title, "Look at its folder."))
            return
        self._say("title", results.title(found, self.run.name))
        await self.query_one(Facts).show(
            results.summary(found, self.alexnet.key, self.alexnet.ascii_only)
        )
        if found.model is not None and found.now.started is not None:
            words = ["evaluate", str(found.model), found.now.started.data]
            self.query_one(CommandLine).show(words)
        if (tested := found.now.evaluated) is not None:
            self._show_matrix(found, tested)
            self._show_classes()
        else:
            for line in ("cell", "class"):
                self._say(line, Content(results.NO_TEST))
        self.mistakes.show(found)
        self._show_part()

    def _say(self, line: str, words: Content) -> None:
        self.query_one(f"#{line}", Line).show(words)

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._show_class_heads)
        self.call_after_refresh(self.keys_changed)

    # The parts

    def _show_part(self) -> None:
        """Show one part, and give what moves in it the focus."""
        for name in PARTS:
            self.query_one(f"#{name}").display = name == self.part
        self._say("parts", results.tabs(PARTS, self.part))
        self._moving().focus()
        self.call_after_refresh(self.keys_changed)
        self.call_after_refresh(self._show_class_heads)

    def _moving(self) -> Widget:
        """Return what the arrow keys move in."""
        if self.part == "summary":
            return self.query_one("#summary")
        if self.part == "matrix":
            return self.matrix if self.matrix.display else self.query_one("#pairs")
        return self.query_one("#rows") if self.part == "classes" else self.mistakes.rows

    def go_to(self, part: PartName) -> None:
        """Show that part."""
        self.part = part
        self._show_part()

    def action_summary(self) -> None:
        """Show the summary."""
        self.go_to("summary")

    def action_matrix(self) -> None:
        """Show which classes are confused."""
        self.go_to("matrix")

    def action_classes(self) -> None:
        """Show precision, recall and F1 of each class."""
        self.go_to("classes")

    def action_mistakes(self) -> None:
        """Show the pictures that are wrong."""
        self.go_to("mistakes")

    def action_next_part(self) -> None:
        """Go on to the next part."""
        self.go_to(PARTS[(PARTS.index(self.part) + 1) % len(PARTS)])

    def action_part_before(self) -> None:
        """Go back to the part before."""
        self.go_to(PARTS[PARTS.index(self.part) - 1])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something in the part that is shown."""
        if action == "classify":
            return self.found is not None and self.found.model is not None
        if action == "shares" and not (self.matrix.display and self.matrix.lines_per_row == 1):
            return False
        if action == "all" and self.mistakes.only == (None, None):
            return False
        if action in ("open", "copy") and self.part == "mistakes" and self.mistakes.marked is None:
            return False
        if action in _ONLY_IN:
            return self.tested is not None and self.part in _ONLY_IN[action]
        return True

    # The matrix

    def _show_matrix(self, found: Outcome, tested: Evaluated) -> None:
        names = [safe_text(name) for name in tested.classes]
        self._longest = max(map(len, names))
        self.matrix.show(names, tested.confusion)
        self.query_one("#pairs", Rows).show(range(len(found.pairs)), keep=False)
        self._show_grid(len(names) <= GRID_CLASSES or not found.pairs)
        if found.pairs:
            self.matrix.move_to(found.pairs[0].truth, found.pairs[0].answer)

    def _show_grid(self, grid: bool) -> None:
        self.matrix.display = grid
        self.query_one("#pairs").display = not grid

    def _pair(self, index: int, width: int) -> Sequence[tuple[str, Style]]:
        assert self.found is not None and self.tested is not None
        pair = self.found.pairs[index]
        return [(results.pair_row(self.tested, pair, self._longest, width), "plain")]

    @property
    def cell(self) -> tuple[int, int] | None:
        """The class and the answer that are marked in the matrix or among the pairs."""
        if self.matrix.display:
            return self.matrix.marked
        index = self.query_one("#pairs", Rows).marked
        return self.found.pairs[index][:2] if self.found is not None and index is not None else None

    @on(ConfusionMatrix.Marked)
    @on(Rows.Marked, "#pairs")
    def _cell_marked(self) -> None:
        if self.tested is not None and self.cell is not None:
            self._say("cell", results.cell_words(self.tested, *self.cell))

    def action_pairs(self) -> None:
        """Show the pairs of classes that are confused most in place of the matrix, or it again."""
        cell = self.cell
        self._show_grid(not self.matrix.display)
        if self.matrix.display and cell is not None:
            self.matrix.move_to(*cell)
        self._cell_marked()
        self._show_part()

    def action_shares(self) -> None:
        """Show shares in place of counts, or counts again."""
        self.matrix.show_shares(not self.matrix.shares)

    # The classes

    def _class(self, index: int, width: int) -> Sequence[tuple[str, Style]]:
        assert self.tested is not None
        return [(results.class_row(self.tested, index, width), "plain")]

    def _show_classes(self, keep: bool = True) -> None:
        if self.tested is not None:
            order = results.class_order(self.tested, self.sorted_by)
            self.query_one("#rows", Rows).show(order, keep)
            self._show_class_heads()

    def _show_class_heads(self) -> None:
        width = self.query_one("#rows", Rows).scrollable_content_region.width
        if self.tested is not None and width:
            self._say("class-head", results.class_head(width, self.sorted_by))

    @on(Rows.Marked, "#rows")
    def _class_marked(self, event: Rows.Marked) -> None:
        if self.tested is not None and event.index is not None:
            self._say("class", results.class_words(self.tested, event.index))

    def action_sort(self) -> None:
        """Sort the classes the next way."""
        orders = results.SORTS
        self.sorted_by = orders[(orders.index(self.sorted_by) + 1) % len(orders)]
        self._show_classes(keep=False)

    # The mistakes

    def action_open(self) -> None:
        """Show the pictures of the marked cell or class, or the marked picture large."""
        row = self.query_one("#rows", Rows).marked
        if self.part == "mistakes":
            self.mistakes.show_large(not self.mistakes.large)
        elif self.tested is not None and self.part == "matrix" and self.cell is not None:
            truth, answer = (self.tested.classes[k] for k in self.cell)
            self._open(truth, answer)
        elif self.tested is not None and self.part == "classes" and row is not None:
            self._open(self.tested.classes[row], None)

    def _open(self, truth: str, answer: str | None) -> None:
        self._came_from = self.part
        self._show_answers(unsure=truth == answer, only=(truth, answer))
        self.go_to("mistakes")

    def _show_answers(self, unsure: bool, only: tuple[str | None, str | None]) -> None:
        if self.found is not None:
            self.mistakes.show(self.found, unsure=unsure, only=only)
            self.keys_changed()

    def action_unsure(self) -> None:
        """Show what was right but least sure, or again what was wrong."""
        self._show_answers(not self.mistakes.unsure, (self.mistakes.only[0], None))

    def action_all(self) -> None:
        """Show the answers to all classes again."""
        self._show_answers(self.mistakes.unsure, (None, None))

    def action_copy(self) -> None:
        """Copy the path of the marked picture, fit for a shell."""
        if (told := self.mistakes.marked) is not None:
            path = readable(os.fspath(self.mistakes.place(told)))
            self.alexnet.copy(shlex.quote(path), safe_text(path))

    def action_down(self) -> None:
        """Go one line down, also while the list has made room for a picture."""
        if self.part == "mistakes":
            self.mistakes.rows.action_cursor_down()
        elif self.part == "summary":
            self.query_one("#summary").scroll_down(animate=False)

    def action_up(self) -> None:
        """Go one line up."""
        if self.part == "mistakes":
            self.mistakes.rows.action_cursor_up()
        elif self.part == "summary":
            self.query_one("#summary").scroll_up(animate=False)

    def action_classify(self) -> None:
        """Classify with the model that the run has left, first of all the mistake that is looked at."""
        if self.found is not None and self.found.model is not None:
            told = self.mistakes.marked if self.part == "mistakes" else None
            picture = None if told is None else self.mistakes.place(told)
            self.post_message(messages.OpenClassify(self.found.model, picture))

    def action_back(self) -> None:
        """Leave the large picture, then the pictures of one cell or class, then the screen."""
        if self.part == "mistakes" and self.mistakes.large:
            self.mistakes.show_large(False)
        elif self.part == "mistakes" and self.mistakes.only != (None, None):
            self._show_answers(False, (None, None))
            self.go_to(self._came_from)
        else:
            super().action_back()
