"""Classify many pictures: a table that fills as answers come, and how many of each class there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from core.engine import Answer, Classifier, Refusal, Source, save_table, shown_source
from core.errors import UserError
from core.text import count, duration, percent, safe_text
from tui.answers import ALL, AnswerList, Outcome, kept
from tui.commands import section_bindings
from tui.screens.page import Page
from tui.screens.save import AskPlace
from tui.widgets.command_line import CommandLine
from tui.widgets.counts import ClassCounts
from tui.widgets.line import Line
from tui.widgets.picture import PictureView
from tui.widgets.problem import Problem
from tui.widgets.rows import Part, Rows
from tui.words import column, lines, meter, plain, tail

TICK_SECONDS = 0.25
SETTLE_SECONDS = 0.12
PREVIEW = 96
LEAST_METER, MOST_METER = 4, 24
LONGEST_LABEL = 16
NO_ANSWER = "✗ no answer"
# How the failed and the unsure are counted: in the first words that fit; the meter takes what is left.
_COUNTED = (
    ("{:,} without an answer", "{:,} not sure"),
    ("{:,} no answer", "{:,} not sure"),
    ("✗ {:,}", "? {:,}"),
)


class Answers(Page):
    """Shares the processes of the Classify screen beneath it."""

    SECTION = "answers"
    BINDINGS = section_bindings("answers")

    def __init__(self, classifier: Classifier, model: Path, source: str) -> None:
        super().__init__()
        self.classifier = classifier
        self.model = model
        self.source = source
        self.answers = AnswerList()
        self.sources: list[Source | Refusal] = []
        self._new: list[Outcome] = []
        self._work: Worker[None] | None = None
        self._began = time.monotonic()
        self._ended: float | None = None
        self._stopped = False
        self._timer: Timer | None = None
        names = [NO_ANSWER, *map(safe_text, classifier.info.classes)]
        self._label_width = min(max(map(len, names)), LONGEST_LABEL)
        # What all names begin with says nothing in the table.
        self._prefix = shown_source(source).rstrip("/") + "/"

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Line(id="progress")
        yield Line(id="looked-at")
        find = Input(placeholder="part of a name or of an answer", id="find", compact=True)
        find.display = False
        yield find
        yield Problem(markup=False)
        beside = Vertical(PictureView(id="picture"), ClassCounts(id="counts"), id="beside")
        yield Horizontal(Rows(self._drawn, id="rows"), beside, id="middle")
        yield Line(id="detail")
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        title = Content.assemble(plain(tail(shown_source(self.source), 60), "bold"))
        self.query_one("#title", Line).show(title)
        words = ["classify", str(self.model), shown_source(self.source)]
        self.query_one(CommandLine).show(words)
        self.query_one(Rows).focus()
        self._timer = self.set_interval(TICK_SECONDS, self._tick)
        self._work = self.run_all()

    @work(exclusive=True, group="answers")
    async def run_all(self) -> None:
        """Find the pictures, then classify them all."""
        try:
            async for source in self.classifier.gather(self.source):
                self.sources.append(source)
            self._began = time.monotonic()
            async with aclosing(self.classifier.classify_all(_each(self.sources))) as outcomes:
                async for outcome in outcomes:
                    self._new.append(kept(outcome, self.classifier.info.classes))
        except UserError as error:
            self.query_one(Problem).show(error)
        except asyncio.CancelledError:
            self._stopped = True
            raise
        finally:
            self._ended = time.monotonic()
            self._work = None
            if self.is_attached and self._timer is not None:
                self._timer.stop()
                self._tick()

    def _tick(self) -> None:
        """Show what has come since the last tick."""
        if self._new:
            new, self._new = self._new, []
            self.answers.add(new)
            self._show_rows()
        self._show_progress()

    def _show_rows(self, keep: bool = True) -> None:
        self.query_one(Rows).show(self.answers.shown, keep)
        self.query_one(ClassCounts).show(self.answers.counts, self.answers.failed)
        self._show_progress()

    def _show_progress(self) -> None:
        self.query_one("#progress", Line).show(self._progress(self.app.size.width - 2))
        self.query_one("#looked-at", Line).show(self._looked_at())

    def on_resize(self) -> None:
        super().on_resize()
        self._show_progress()

    def _progress(self, width: int) -> Content:
        """Return a meter and how far it is, on one line of `width` cells."""
        done, total = len(self.answers.outcomes), len(self.sources)
        if self._work is not None and not done:
            return Content(f"found {count(total, 'picture')}; the first answers come …")
        words = self._state(done, total, width)
        room = min(width - len(words) - 1, MOST_METER)
        if room < LEAST_METER:
            return Content(words)
        bar = meter(done / max(total, 1), room, self.alexnet.ascii_only)
        return Content.assemble(bar, f" {words}")

    def _state(self, done: int, total: int, width: int) -> str:
        """Return in words how far it is, in the longest ones that fit into `width`."""
        seconds = max((self._ended or time.monotonic()) - self._began, 1e-3)
        state = [f"{done:,} of {total:,}"]
        if self._work is not None:
            state.append(f"{duration((total - done) * seconds / done)} left")
        elif self._stopped:
            state.append("stopped")
        else:
            state.append(f"in {duration(seconds)}")
        numbers = (self.answers.failed, self.answers.unsure)
        sayings = []
        for words in _COUNTED:
            counted = [word.format(n) for word, n in zip(words, numbers, strict=True) if n]
            sayings.append(" · ".join([*state, *counted]))
        return next((saying for saying in sayings if len(saying) <= width), sayings[-1])

    def _looked_at(self) -> Content:
        """Return how the table is sorted and which part of the answers it shows."""
        answers = self.answers
        parts: list[str] = [answers.order]
        if answers.only != ALL:
            parts.append(f"only {safe_text(answers.only.removeprefix('='), LONGEST_LABEL)}")
        if answers.words:
            parts.append(f"only with “{safe_text(answers.words, LONGEST_LABEL)}”")
        if len(answers.shown) < len(answers.outcomes):
            parts.append(f"{len(answers.shown):,} shown")
        return plain(" · ".join(parts), "$foreground 60%")

    def _drawn(self, index: int, width: int) -> Sequence[tuple[str, Part]]:
        """Return a line of the table: the answer, how sure it is, and the end of the name."""
        outcome = self.answers.outcomes[index]
        before = self._label_width + 12
        room = max(width - before, 8)
        source = column(tail(outcome.source.removeprefix(self._prefix), room), room)
        if isinstance(outcome, Refusal):
            return [(column(f" {NO_ANSWER}", before), "error"), (source, "faint")]
        part: Part = "plain" if outcome.sure else "doubt"
        sure = " " if outcome.sure else "?"
        label = column(outcome.label, self._label_width)
        return [(f" {label} {percent(outcome.confidence):>7} {sure} ", part), (source, "faint")]

    @on(Rows.Marked)
    def _marked(self, event: Rows.Marked) -> None:
        self.show_picture(event.index)

    @work(exclusive=True, group="picture")
    async def show_picture(self, index: int | None) -> None:
        """Show the picture under the cursor, and all that is known of it."""
        view, detail = self.query_one("#picture", PictureView), self.query_one("#detail", Line)
        if index is None:
            view.show(None)
            detail.show(Content(""))
            return
        outcome, source = self.answers.outcomes[index], self.sources[index]
        detail.show(detail_words(outcome, self.size.width - 2))
        if isinstance(outcome, Refusal) or isinstance(source, Refusal):
            view.show(None)
            return
        # A cursor on its way down the table asks for no pictures.
        await asyncio.sleep(SETTLE_SECONDS)
        try:
            view.show(await self.engine.preview(source, PREVIEW))
        except UserError:
            # It was read before; that it is gone by now does not change the answer.
            view.show(None)

    def action_sort(self) -> None:
        """Sort the table the next way."""
        self.answers.next_order()
        self._show_rows(keep=False)

    def action_filter(self) -> None:
        """Look at the next kind of answers."""
        self.answers.next_kind()
        self._show_rows(keep=False)

    def action_find(self) -> None:
        """Look at what holds some words."""
        find = self.query_one("#find", Input)
        find.display = True
        find.focus()

    @on(Input.Changed, "#find")
    def _find_typed(self, event: Input.Changed) -> None:
        self.answers.find(event.value)
        self._show_rows(keep=False)

    @on(Input.Submitted, "#find")
    def _find_done(self) -> None:
        self.query_one(Rows).focus()

    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        """Save what has come so far."""
        await save_answers(self, self.classifier, list(self.answers.outcomes))

    def action_back(self) -> None:
        """Close the words to be found, or stop, or leave."""
        find = self.query_one("#find", Input)
        if find.display:
            find.display = False
            find.value = ""
            self.query_one(Rows).focus()
        elif self._work is not None:
            self._work.cancel()
        else:
            super().action_back()


async def save_answers(
    page: Page, classifier: Classifier, outcomes: Sequence[Outcome], left_out: int = 0
) -> None:
    """Ask where, then write `outcomes` as a table, and say so, also of the `left_out` before them."""
    problem = page.query_one(Problem)
    if not outcomes:
        problem.show(UserError("There is no answer to save yet.", "Classify a picture first."))
        return
    question = f"Save {count(len(outcomes), 'answer')} as a table"
    # Never into a data folder by itself: nothing but the model is written there.
    folder = Path.cwd()
    place = await page.app.push_screen_wait(AskPlace(question, folder, free_name(folder)))
    if place is None:
        return
    try:
        await asyncio.to_thread(save_table, place, classifier.info.classes, _whole(outcomes))
    except UserError as error:
        problem.show(error)
    else:
        problem.show(None)
        without = f", without {count(left_out, 'earlier answer')}" if left_out else ""
        page.notify(plain(f"Saved in {place}{without}").plain, markup=False)


def _whole(outcomes: Iterable[Outcome]) -> Iterable[Answer | Refusal]:
    return (one if isinstance(one, Refusal) else one.whole() for one in outcomes)


def free_name(folder: Path) -> str:
    """Return the first name for a table that is not taken in `folder`."""
    names = ("answers.csv", *(f"answers-{number}.csv" for number in range(2, 1000)))
    return next((name for name in names if not (folder / name).exists()), names[0])


def detail_words(outcome: Outcome, width: int) -> Content:
    """Return what there is to say of one picture, on two lines, or what went wrong."""
    if isinstance(outcome, Refusal):
        error = outcome.error
        return lines(plain(f"✗ {error.title}", "$text-error"), plain(error.hint))
    top = outcome.likeliest(5)
    chances = "   ".join(f"{column(name, 14).rstrip()} {percent(share)}" for name, share in top)
    return lines(plain(tail(outcome.source, width)), plain(chances, "$foreground 60%", width))


async def _each(sources: Sequence[Source | Refusal]) -> AsyncIterator[Source | Refusal]:
    for source in sources:
        yield source
