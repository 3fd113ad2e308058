"""Choose the data: a tree of folders, a field for a path, and what the marked folder is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from core.engine import Inspection
from core.errors import UserError
from tui import messages
from tui.commands import section_bindings
from tui.screens.page import Page
from tui.widgets.card import SAMPLES, FolderCard
from tui.widgets.command_line import CommandLine
from tui.widgets.folders import FolderTree
from tui.widgets.path_field import PathField
from tui.widgets.problem import Problem

SAMPLE_PIXELS = 48


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
        self.inspection: Inspection | None = None

    def body(self) -> Iterable[Widget]:
        yield PathField(placeholder="type or paste the path of a folder", id="path")
        yield Problem(markup=False)
        yield Horizontal(FolderTree(self.at, id="tree"), FolderCard(id="card"), id="middle")
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(FolderTree).focus()
        self.look_at(self.at, rest=False)

    @on(FolderTree.NodeHighlighted)
    def _marked(self) -> None:
        path = self.query_one(FolderTree).marked
        if path is not None:
            self.look_at(path)

    @on(FolderTree.DirectorySelected)
    def _chosen(self) -> None:
        path = self.query_one(FolderTree).marked
        if path is not None:
            self.choose(path)

    @on(Input.Submitted, "#path")
    def _typed(self) -> None:
        self.go_to(self.query_one(PathField).typed)

    @work(exclusive=True, group="look")
    async def look_at(self, folder: Path, rest: bool = True) -> None:
        """Show what `folder` is, unless the cursor moves on at once."""
        if self.inspection is not None and self.inspection.folder == folder:
            return
        self.inspection = None
        if rest:
            await asyncio.sleep(self.REST_SECONDS)
        await self._inspect(folder)

    async def _inspect(self, folder: Path) -> Inspection:
        card = self.query_one(FolderCard)
        path_field = self.query_one(PathField)
        if not path_field.has_focus:
            path_field.show(folder)
        card.wait_for(folder)
        found = await self.engine.inspect(folder)
        self.inspection = found
        self.keys_changed()
        card.show(found)
        self.query_one(CommandLine).show(["doctor", str(folder)])
        self.show_samples(found)
        return found

    @work(exclusive=True, group="samples")
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
        if found.problem is None:
            self.post_message(messages.OpenConfigure(found.folder))
        else:
            self.query_one(FolderTree).toggle_marked()

    @work(exclusive=True, group="look")
    async def go_to(self, typed: str) -> None:
        """Show the folder at the path `typed`, or say that there is none."""
        try:
            folder = await asyncio.to_thread(existing_folder, typed)
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        self.query_one(Problem).show(None)
        tree = self.query_one(FolderTree)
        tree.path = folder
        tree.focus()
        await self._inspect(folder)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something for the folder that is shown."""
        found = self.inspection
        if action == "train":
            return found is not None and found.problem is None
        if action == "suggested":
            return found is not None and found.suggestion is not None
        return True

    def action_train(self) -> None:
        """Go on with the folder that is shown."""
        if self.inspection is not None:
            self.post_message(messages.OpenConfigure(self.inspection.folder))

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

    def action_path(self) -> None:
        """Go to the field for a path."""
        self.query_one(PathField).focus()

    def action_back(self) -> None:
        """Leave the field, or the screen."""
        if self.query_one(PathField).has_focus:
            self.query_one(FolderTree).focus()
        else:
            super().action_back()


def existing_folder(typed: str) -> Path:
    """Return the folder at the path `typed`.

    Raises:
        UserError: there is no folder there.
    """
    try:
        folder = Path(typed).expanduser().absolute()
        if typed and folder.is_dir():
            return folder
        is_file = folder.exists()
    except (OSError, RuntimeError, ValueError):
        is_file = False
    if is_file:
        raise UserError(f"{typed} is a file.", "Choose the folder that holds one folder per class.")
    raise UserError(f"There is no folder at “{typed}”.", "Correct the path; tab completes it.")
