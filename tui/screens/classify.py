"""Classify pictures by URL or by file, and show how sure the model is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker, get_current_worker

from core.config import MODEL_NAME
from core.engine import Answer, Classifier, Refusal, is_many, shown_source
from core.errors import UserError
from core.files import expanded
from tui.answers import Outcome, kept
from tui.commands import section_bindings
from tui.paths import meant
from tui.screens.answers import Answers, save_answers
from tui.screens.page import Page
from tui.verdict import answer_words, history_words, model_words
from tui.widgets.bars import ProbabilityBars
from tui.widgets.command_line import CommandLine
from tui.widgets.folders import FolderTree
from tui.widgets.line import Line
from tui.widgets.path_field import PathField
from tui.widgets.picture import PictureView
from tui.widgets.problem import Problem
from tui.words import home_path, lines, plain, tail

# So many answers are shown, the newest ones, and so many are kept for the table.
MOST_SHOWN = 200
MOST_KEPT = 10_000
CLOSE_SECONDS = 2.0
# An answer that comes sooner takes the place of the one before without a flicker.
FLICKER_SECONDS = 0.15
NO_MODEL = UserError(
    "Choose a model first.",
    "Type the path of a model file or of its data folder; enter loads it.",
)


class Classify(Page):
    """The model's processes live exactly as long as this screen."""

    SECTION = "classify"
    BINDINGS = section_bindings("classify")

    def __init__(self, model: Path | None = None, picture: Path | None = None) -> None:
        super().__init__()
        self.model = model
        self._first = picture
        self.classifier: Classifier | None = None
        # The newest first.
        self.answers: deque[Outcome] = deque(maxlen=MOST_KEPT)
        self._dropped = 0
        self._request: Worker[None] | None = None
        self._keeping: Worker[None] | None = None
        self._loaded = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._warm = False
        # The answer on the screen, and whether it is shown with what it comes from.
        self._answer: Answer | None = None
        self._explains = False
        self._source: str | None = None

    def body(self) -> Iterable[Widget]:
        yield Line(id="model-line")
        yield PathField(
            placeholder="path of a model file or of its data folder", files=True, id="model"
        )
        yield PathField(
            placeholder="URL, or path of a picture, a folder, a pattern, a zip",
            files=True,
            id="source",
        )
        yield Problem(markup=False)
        answer = Vertical(Line(id="answer"), ProbabilityBars(id="bars"), id="said")
        tree = FolderTree(self.alexnet.at or Path.cwd(), pictures=True, id="tree")
        tree.display = False
        yield Horizontal(tree, PictureView(id="picture"), answer, id="middle")
        yield VerticalScroll(Line(id="history"), id="answers", can_focus=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        at = self.alexnet.at
        if self.model is None and at is not None and (at / MODEL_NAME).is_file():
            self.model = at
        if self.model is None:
            self._ask_for_model()
        else:
            self._use(self.model)
        if self._first is not None:
            self._ask(str(self._first))

    def _ask_for_model(self) -> None:
        """Show the field for a model, filled with the one in use."""
        field = self.query_one("#model", PathField)
        if self.model is not None:
            field.show(self.model)
        field.display = True
        field.focus()
        if self.classifier is None:
            self.query_one("#model-line", Line).show(
                Content("Which model? Press enter to load it.")
            )

    def _use(self, model: Path) -> None:
        self.model = model
        self.query_one("#model").display = False
        self.query_one("#source").focus()
        self._show_command(None)
        if not self._stop_request():
            # What another model has answered.
            self._clear(Content(""))
        self.classifier, self._warm = None, False
        self._loaded.clear()
        self.query_one(Problem).show(None)
        self._show_model()
        self._keeping = self.keep_model(model)

    @property
    def _has_model(self) -> bool:
        """Whether there is a model to ask, or one that is being loaded."""
        return self._keeping is not None and not self._keeping.is_finished

    @work(exclusive=True, group="choice")
    async def try_model(self, model: Path) -> None:
        """Use `model` in place of the one in use, which stays if the new one will not do."""
        self.query_one(Problem).show(None)
        name = tail(home_path(model), 60)
        self.query_one("#model-line", Line).show(Content(f"reading the model {name} …"))
        try:
            await self.engine.model_info(model)
        except UserError as error:
            self._show_model()
            self.query_one(Problem).show(error)
        else:
            self._use(model)

    def _show_model(self) -> None:
        """Say which model is in use, or is being loaded."""
        if self.classifier is not None:
            words = model_words(self.classifier.info)
        else:
            words = Content(f"loading the model {tail(home_path(self.model or ''), 60)} …")
        self.query_one("#model-line", Line).show(words)

    @work(exclusive=True, group="model")
    async def keep_model(self, model: Path) -> None:
        """Keep the processes of `model` until another model is chosen or the screen is left."""
        # The model before ends first: its end would clear what belongs to this one.
        await self._released.wait()
        self._released.clear()
        try:
            async with self.engine.classifier(model) as classifier:
                self.classifier = classifier
                self._loaded.set()
                self._show_model()
                await asyncio.Event().wait()
        except UserError as error:
            self._stop_request()
            self.query_one(Problem).show(error)
            self._ask_for_model()
        finally:
            self.classifier = None
            self._loaded.clear()
            self._released.set()

    async def on_unmount(self) -> None:
        """Wait for the processes of the model to end, so that the program never ends before them."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), CLOSE_SECONDS)

    @on(Input.Submitted, "#model")
    def _model_typed(self) -> None:
        typed = self.query_one("#model", PathField).typed
        if not typed:
            return
        model = expanded(meant(typed))
        # A first model is read while its processes start; a later one may cost the one in use.
        if self._released.is_set():
            self._use(model)
        else:
            self.try_model(model)

    @on(Input.Submitted, "#source")
    def action_submit(self) -> None:
        """Classify what the field says."""
        source = self.query_one("#source", PathField).typed
        if source:
            self._ask(meant(source))

    @on(FolderTree.FileSelected)
    def _file_chosen(self) -> None:
        path = self.query_one(FolderTree).marked
        if path is not None:
            self.query_one("#source", PathField).show(path)
            self._ask(str(path))

    @on(FolderTree.DirectorySelected)
    def _folder_chosen(self) -> None:
        self.query_one(FolderTree).toggle_marked()

    def _ask(self, source: str) -> None:
        if not self._has_model:
            # Nobody would ever answer; the source stays in its field for then.
            self.query_one(Problem).show(NO_MODEL)
            self.query_one("#model").focus()
            return
        self._cancel_request()
        self._forget_answer()
        field = self.query_one("#source", PathField)
        # What an address has of passwords and signatures is not left on the screen.
        field.show(source, shown_source(source))
        # The next source takes the place of this one as soon as it is typed.
        field.action_select_all()
        self._show_command(source)
        request: Worker[None] = self.classify(source)
        self._request = request
        self.set_timer(FLICKER_SECONDS, partial(self._clear_before, request))

    @work(exclusive=True, group="request")
    async def classify(self, source: str) -> None:
        """Ask the model about `source`, once it is loaded, and show what it says."""
        doing = "reading" if self._warm else "loading the model, then reading"
        self._say(plain(f"{doing} {tail(shown_source(source), 50)} … (esc: stop)"))
        self.query_one(Problem).show(None)
        try:
            await self._loaded.wait()
            assert self.classifier is not None and self.model is not None
            if await asyncio.to_thread(is_many, source):
                self._clear(Content(""))
                self.app.push_screen(Answers(self.classifier, self.model, source))
                return
            answer = await self.classifier.classify(source)
        except UserError as error:
            self._clear(Content(""))
            self.query_one(Problem).show(error)
            self._remember(Refusal(shown_source(source), error))
        else:
            self._warm = True
            self._show(answer)
            self._remember(kept(answer, self.classifier.info.classes))
        finally:
            # One that was cancelled for the next one ends after that one has begun.
            if self._request is get_current_worker():
                self._request = None

    def _show_command(self, source: str | None) -> None:
        self._source = source
        what = "SOURCE" if source is None else shown_source(source)
        heat = ["--heat"] if self._explains else []
        self.query_one(CommandLine).show(["classify", str(self.model), what, *heat])

    def _show(self, answer: Answer) -> None:
        self._answer = answer
        shown = answer if self._explains else replace(answer, heat=None)
        self.query_one(PictureView).show(shown.picture, shown.heat)
        self._say(answer_words(shown))
        self.query_one(ProbabilityBars).show(shown.probabilities, shown.sure)
        if self._explains and answer.heat is None and self.classifier is not None:
            self.explain(self.classifier, answer)

    def action_heat(self) -> None:
        """Show what answers come from, or no longer."""
        self._explains = not self._explains
        self._show_command(self._source)
        self.workers.cancel_group(self, "heat")
        if self._answer is not None:
            self.query_one(Problem).show(None)
            self._show(self._answer)

    @work(exclusive=True, group="heat")
    async def explain(self, classifier: Classifier, answer: Answer) -> None:
        """Show what `answer` comes from, once that is known."""
        about = Content.styled("covering part after part … (esc: stop)", "$foreground 60%")
        self._say(lines(answer_words(answer), about))
        try:
            explained = await classifier.explain(answer)
        except UserError as error:
            self.action_heat()
            self.query_one(Problem).show(error)
        else:
            self._show(explained)

    def _clear(self, words: Content) -> None:
        """Show `words` alone, so that no earlier answer passes for this one."""
        self._clear_picture()
        self._say(words)

    def _forget_answer(self) -> None:
        """Ask no more where the answer on the screen comes from: another one is wanted, or another model."""
        self.workers.cancel_group(self, "heat")
        self._answer = None

    def _clear_before(self, request: Worker[None]) -> None:
        """Take the earlier answer away if `request` is still under way."""
        if self._request is request:
            self._clear_picture()

    def _clear_picture(self) -> None:
        self._forget_answer()
        self.query_one(PictureView).show(None)
        self.query_one(ProbabilityBars).show({}, True)

    def _say(self, words: Content) -> None:
        self.query_one("#answer", Line).show(words)

    def _remember(self, outcome: Outcome) -> None:
        self._dropped += len(self.answers) == self.answers.maxlen
        self.answers.appendleft(outcome)
        told = map(history_words, islice(self.answers, MOST_SHOWN))
        self.query_one("#history", Line).show(lines(*told))
        self._history.scroll_home(animate=False)

    @property
    def _history(self) -> VerticalScroll:
        """What the answers so far scroll in."""
        return self.query_one("#answers", VerticalScroll)

    def action_older(self) -> None:
        """Scroll to older answers, whatever has the focus."""
        self._history.scroll_page_down(animate=False)

    def action_newer(self) -> None:
        """Scroll to newer answers."""
        self._history.scroll_page_up(animate=False)

    def _cancel_request(self) -> bool:
        """Stop waiting for an answer; tell whether one was waited for."""
        if self._request is None:
            return False
        self._request.cancel()
        self._request = None
        return True

    def _stop_request(self) -> bool:
        """Stop waiting for an answer, and say so; tell whether one was waited for."""
        waited = self._cancel_request()
        if waited:
            self._clear(Content("stopped; nothing was classified"))
        return waited

    def action_tree(self) -> None:
        """Show or hide the tree of picture files."""
        tree = self.query_one(FolderTree)
        tree.display = not tree.display
        (tree if tree.display else self.query_one("#source")).focus()

    def _close_model_field(self) -> None:
        """Keep the model in use."""
        self.workers.cancel_group(self, "choice")
        self._show_model()
        self.query_one(Problem).show(None)
        self.query_one("#model").display = False
        self.query_one("#source").focus()

    def action_model(self) -> None:
        """Choose another model."""
        self._ask_for_model()

    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        """Save the answers so far, the oldest first."""
        if self.classifier is None:
            return
        # The columns are this model's classes, which answers of another one do not have.
        classes = self.classifier.info.classes
        fitting = [
            one
            for one in reversed(self.answers)
            if isinstance(one, Refusal) or one.classes == classes
        ]
        left_out = self._dropped + len(self.answers) - len(fitting)
        await save_answers(self, self.classifier, fitting, left_out)

    def action_back(self) -> None:
        """Stop the request or its explanation, or close what was opened, or leave."""
        field, tree = self.query_one("#model"), self.query_one(FolderTree)
        if self._stop_request():
            return
        if self._explains and self._answer is not None and self._answer.heat is None:
            self.action_heat()
        elif tree.display:
            self.action_tree()
        elif field.display and not self._released.is_set():
            self._close_model_field()
        else:
            super().action_back()
