"""Choose the data: a tree of folders, a field for a path, and what the marked folder is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from core.engine import Inspection, Report
from core.errors import UserError
from tui import messages
from tui.commands import section_bindings
from tui.findings import reading, reported, without_hopeless
from tui.paths import existing_folder
from tui.screens.findings import Findings
from tui.screens.page import Page
from tui.screens.pick import Line, Pick
from tui.widgets.card import SAMPLES, FolderCard
from tui.widgets.command_line import CommandLine
from tui.widgets.folders import FolderTree
from tui.widgets.path_field import CompletionLine, PathField
from tui.widgets.problem import Problem
from tui.words import home_path, plain, problem_text, recent_folders, tail

SAMPLE_PIXELS = 48
RECENT_FOLDERS = 30


class Browse(Page):
    """The folder under the cursor is looked at; `enter` goes on with it or opens it."""

    SECTION = "browse"
    PASSING = True
    BINDINGS = section_bindings("browse")
    # Time that the cursor rests on a folder before it is looked at.
    REST_SECONDS = 0.15

    def __init__(self, at: Path) -> None:
        super().__init__()
        self.at = at.expanduser().absolute()
        # The folder that is shown, or about to be.
        self.folder = self.at
        self.inspection: Inspection | None = None
        self.report: Report | None = None
        self._examining: Worker[None] | None = None

    def body(self) -> Iterable[Widget]:
        yield PathField(placeholder="type or paste the path of a folder", id="path")
        yield CompletionLine(id="completions")
        yield Problem(markup=False)
        yield Horizontal(FolderTree(self.at, id="tree"), FolderCard(id="card"), id="middle")
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(FolderTree).focus()
        self.query_one(PathField).show(self.at)
        self.look_at(self.at, rest=False)

    @on(FolderTree.NodeHighlighted)
    def _marked(self) -> None:
        path = self.query_one(FolderTree).marked
        # The tree says it anew when it is filled: what goes on for this folder must not end by that.
        if path is not None and path != self.folder:
            self.look_at(path)

    @on(FolderTree.DirectorySelected)
    def _chosen(self) -> None:
        path = self.query_one(FolderTree).marked
        if path is not None:
            self.choose(path)

    @on(Input.Submitted, "#path")
    def _typed(self) -> None:
        self.go_to(self.query_one(PathField).typed)

    @on(PathField.Completing)
    def _completing(self, event: PathField.Completing) -> None:
        self.query_one(CompletionLine).show(event.completions)

    @work(exclusive=True, group="look")
    async def look_at(self, folder: Path, rest: bool = True) -> None:
        """Show what `folder` is, unless the cursor moves on at once."""
        self._forget(folder)
        if rest:
            await asyncio.sleep(self.REST_SECONDS)
        # Whoever left the screen meanwhile has nothing to be shown.
        if self.is_attached:
            await self._inspect(folder)

    def _forget(self, folder: Path) -> None:
        """Have nothing to say of `folder` yet."""
        self.folder, self.inspection, self.report = folder, None, None
        if self.is_attached:
            self.keys_changed()

    async def _inspect(self, folder: Path) -> Inspection:
        self._forget(folder)
        card = self.query_one(FolderCard)
        path_field = self.query_one(PathField)
        if not path_field.has_focus:
            path_field.show(folder)
        card.wait_for(folder)
        found = await self.engine.inspect(folder)
        self.inspection = found
        if not self.is_attached:
            return found
        self.keys_changed()
        card.show(found)
        self.query_one(CommandLine).show(["doctor", str(folder)])
        self.show_samples(found)
        return found

    # Without a description Textual writes out all classes of the folder to make one.
    @work(exclusive=True, group="samples", description="show samples")
    async def show_samples(self, found: Inspection) -> None:
        """Read and show a few pictures of the folder; one that cannot be read is passed over."""
        pictures = []
        for path in found.samples[:SAMPLES]:
            try:
                pictures.append(await self.engine.preview(path, SAMPLE_PIXELS))
            except UserError:
                continue
        await self.query_one(FolderCard).show_pictures(pictures)

    @work(exclusive=True, group="look")
    async def choose(self, folder: Path) -> None:
        """Go on with `folder` if it can be trained on, else open it in the tree."""
        found = self.inspection
        if found is None or found.folder != folder:
            found = await self._inspect(folder)
        if self._will_do:
            self.post_message(messages.OpenConfigure(found.folder))
        else:
            self.query_one(FolderTree).toggle_marked()

    @work(exclusive=True, group="look")
    async def examine(self, folder: Path) -> None:
        """Have the doctor read the pictures in `folder`, unless the cursor moves on."""
        found = self.inspection
        if found is None:
            found = await self._inspect(folder)
        if found.problem is not None:
            return
        card = self.query_one(FolderCard)
        self.report, said = None, None
        self._progress(found, Content("examining …"))
        try:
            self.report = await reported(
                self.engine.doctor(folder),
                lambda done, total: self._progress(found, reading(done, total)),
            )
        except UserError as error:
            said = problem_text(error)
        except asyncio.CancelledError:
            if self.is_attached and self.inspection is found:
                card.show(found, said=Content("examination stopped"))
            raise
        card.show(found, self.report, said)
        self.keys_changed()

    def _progress(self, found: Inspection, words: Content) -> None:
        stop = (f"  {self.key('browse.back')}: stop", "$foreground 60%")
        self.query_one(FolderCard).show(found, said=Content.assemble(words, stop))

    @work(exclusive=True, group="look")
    async def go_to(self, typed: str) -> None:
        """Show the folder at the path `typed`, or say that there is none."""
        try:
            folder = await asyncio.to_thread(existing_folder, typed)
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        self.query_one(Problem).show(None)
        self._forget(folder)
        tree = self.query_one(FolderTree)
        tree.path = folder
        tree.focus()
        await self._inspect(folder)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something for the folder that is shown."""
        found = self.inspection
        if action == "train":
            return self._will_do
        if action == "suggested":
            return found is not None and found.suggestion is not None
        if action == "examine":
            return found is None or found.problem is None
        if action == "findings":
            return self.report is not None
        if action == "leave_out":
            return bool(self._without)
        return True

    @property
    def _without(self) -> str:
        """The classes to leave out so that the folder that is shown may be trained on."""
        found = self.inspection
        return without_hopeless(found, self.report) if found is not None else ""

    @property
    def _will_do(self) -> bool:
        """Whether nothing that is known forbids to train on the folder that is shown."""
        found, report = self.inspection, self.report
        return bool(found and found.problem is None and (report is None or report.trainable))

    def action_train(self) -> None:
        """Go on with the folder that is shown."""
        if self.inspection is not None and self._will_do:
            self._stop_examining()
            self.post_message(messages.OpenConfigure(self.inspection.folder))

    def action_leave_out(self) -> None:
        """Go on with the folder that is shown, without the classes that have too few pictures."""
        if self.inspection is not None and (without := self._without):
            self._stop_examining()
            settings = {"without": without}
            self.post_message(messages.OpenConfigure(self.inspection.folder, settings))

    def action_examine(self) -> None:
        """Examine the folder that is shown, once at a time."""
        if not self._is_examining:
            self._examining = self.examine(self.folder)

    def action_findings(self) -> None:
        """List all that was found."""
        if self.report is not None:
            self.app.push_screen(Findings(self.folder, self.report))

    @property
    def _is_examining(self) -> bool:
        return self._examining is not None and not self._examining.is_finished

    def _stop_examining(self) -> None:
        if self._examining is not None:
            self._examining.cancel()

    def action_suggested(self) -> None:
        """Go to the folder that the right side suggests."""
        if self.inspection is not None and self.inspection.suggestion is not None:
            self.go_to(str(self.inspection.suggestion))

    def action_choose(self) -> None:
        """Do as `enter` on the tree does."""
        self._chosen()

    def action_up(self) -> None:
        """Start the tree one folder higher."""
        self.query_one(FolderTree).action_up()

    @work(exclusive=True, group="recent")
    async def action_recent(self) -> None:
        """Choose among the folders of past runs and go there."""
        try:
            folders = recent_folders(await self.engine.runs(), RECENT_FOLDERS)
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        lines = [Line(folder, plain(tail(home_path(folder), 80))) for folder in folders]
        none = "No folder was trained on yet."
        chosen = await self.app.push_screen_wait(Pick("Recent folders", lines, none))
        if chosen is not None:
            self.go_to(chosen)

    def action_path(self) -> None:
        """Go to the field for a path."""
        self.query_one(PathField).focus()

    def action_back(self) -> None:
        """Leave the field, stop an examination, or leave the screen."""
        if self.query_one(PathField).has_focus:
            self.query_one(FolderTree).focus()
        elif self._is_examining:
            self._stop_examining()
        else:
            super().action_back()
