"""The pictures that a model got wrong, or right but least surely: a list, and the marked one beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from core.engine import Outcome
from core.errors import UserError
from core.evaluation.mistakes import among
from core.runs.answers import Told
from core.text import count, readable, safe_text
from tui import results
from tui.widgets.line import Line
from tui.widgets.picture import PictureView
from tui.widgets.rows import Part, Rows
from tui.words import lines, plain

if TYPE_CHECKING:
    from tui.app import AlexNetApp

PREVIEW = 128
SETTLE_SECONDS = 0.12
NAME_WIDTH = 24


class MistakeList(Vertical):
    """Answers of a run's test: the wrong ones or the least sure, of all classes or of one cell."""

    about = (
        "The model's answers to test pictures, with how sure it was. The worst mistakes, those it was"
        " surest of, come first: look whether the picture or its label is to blame."
    )
    DEFAULT_CSS = """
    MistakeList Rows { width: 3fr; }
    MistakeList PictureView { width: 2fr; margin: 0 1; }
    MistakeList Line { height: auto; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.found: Outcome | None = None
        self.unsure = False
        # The class and the answer that are looked at alone.
        self.only: tuple[str | None, str | None] = (None, None)
        self.answers: tuple[Told, ...] = ()
        self._names = results.LEAST_NAME

    def compose(self) -> ComposeResult:
        yield Line(id="looked-at")
        yield Horizontal(Rows(self._drawn, id="told"), PictureView(), id="middle")
        yield Line(id="detail")

    @property
    def rows(self) -> Rows:
        return self.query_one(Rows)

    @property
    def large(self) -> bool:
        """Whether the picture has the room of the list too."""
        return not self.rows.display

    @property
    def marked(self) -> Told | None:
        """The answer under the cursor."""
        index = self.rows.marked
        return self.answers[index] if index is not None and index < len(self.answers) else None

    def show(
        self,
        found: Outcome,
        *,
        unsure: bool = False,
        only: tuple[str | None, str | None] = (None, None),
    ) -> None:
        """Show the wrong answers of `found`, or the `unsure` right ones, of the class and answer `only`."""
        self.found, self.unsure, self.only = found, unsure, only
        kept = found.mistakes
        wanted: Iterable[Told] = () if kept is None else kept.right if unsure else kept.wrong
        self.answers = among(wanted, *only)
        self.rows.show(range(len(self.answers)), keep=False)
        self.show_head()
        self.show_picture(0 if self.answers else None)

    def show_large(self, large: bool) -> None:
        """Give the picture the room of the list, or give it back."""
        self.rows.display = not large
        self.set_class(large, "-large")
        if not large:
            self.rows.focus()
        self.call_after_refresh(self.show_head)

    def show_head(self) -> None:
        """Say which answers are listed, above the heads of their columns."""
        words = plain(self._looked_at(), results.FAINT)
        width = self.rows.scrollable_content_region.width
        if self.answers and width and not self.large:
            self._names = results.name_width(self.answers, width)
            words = lines(words, Content.styled(results.told_head(self._names), "bold"))
        self.query_one("#looked-at", Line).show(words)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_head)

    def _looked_at(self) -> str:
        if self.found is None:
            return ""
        if self.found.now.evaluated is None:
            return results.NO_TEST
        if self.found.mistakes is None:
            return "The answers of this run were not kept, or cannot be read any more."
        truth, label = (None if name is None else safe_text(name, NAME_WIDTH) for name in self.only)
        of = f" of {truth}" if truth is not None else ""
        if self.unsure:
            return f"{count(len(self.answers), 'right answer')}{of}, the least sure first"
        if not self.answers:
            return f"No mistake{of}." if label is None else "No such mistake."
        taken = f", taken for {label}" if label is not None else ""
        pictures = "picture" if of else "mistake"
        return f"{count(len(self.answers), pictures)}{of}{taken or (', wrong' if of else '')}, the surest first"

    def _drawn(self, index: int, width: int) -> Sequence[tuple[str, Part]]:
        return [(results.told_row(self.answers[index], self._names, width), "plain")]

    @on(Rows.Marked)
    def _marked(self, event: Rows.Marked) -> None:
        event.stop()
        self.show_picture(event.index)

    @work(exclusive=True, group="picture")
    async def show_picture(self, index: int | None) -> None:
        """Show the picture of an answer, and all that is known of it; what is gone is said."""
        view, detail = self.query_one(PictureView), self.query_one("#detail", Line)
        if index is None or index >= len(self.answers):
            view.show(None)
            detail.show(Content(""))
            return
        told = self.answers[index]
        place = self.place(told)
        words = results.told_words(told, readable(os.fspath(place)))
        detail.show(words)
        # A cursor on its way down asks for no pictures.
        await asyncio.sleep(SETTLE_SECONDS)
        try:
            view.show(await cast("AlexNetApp", self.app).engine.preview(place, PREVIEW))
        except UserError as error:
            view.show(None)
            detail.show(lines(words, plain(f"✗ {error.title}", "$text-error")))

    def place(self, told: Told) -> Path:
        """Return where the picture of an answer lies."""
        assert self.found is not None
        return results.told_path(self.found, told)
