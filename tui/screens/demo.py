"""Draw the built-in example into a folder, then go on to train on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import Worker

from core.errors import UserError
from core.files import expanded
from tui import messages
from tui.commands import section_bindings
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.path_field import PathField
from tui.widgets.problem import Problem
from tui.words import lines, meter

FOLDER = "~/alexnet-demo"
# Small drawn faces need neither large pictures nor many epochs.
SETTINGS = {"image_size": 64, "epochs": 12}
BAR_CELLS = 30


class Demo(Page):
    """One field and one bar."""

    SECTION = "demo"
    PASSING = True
    BINDINGS = section_bindings("demo")

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Worker[None] | None = None

    def body(self) -> Iterable[Widget]:
        yield Static("The built-in example", id="title", markup=False)
        yield Static(
            lines(
                Content("Draws 2,000 happy and sad faces as pictures into this folder."),
                Content.styled(
                    "Press enter to draw. A folder that holds them already is used.",
                    "$foreground 60%",
                ),
            ),
            classes="words",
            markup=False,
        )
        yield PathField(placeholder="the folder to draw into", id="folder")
        yield Line(id="bar")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        field = self.query_one(PathField)
        field.show(FOLDER)
        field.focus()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one(CommandLine).show(["demo", self.query_one(PathField).typed])

    @on(Input.Submitted)
    def action_submit(self) -> None:
        """Draw, unless that is under way."""
        typed = self.query_one(PathField).typed
        if typed and self._drawing is None:
            self._drawing = self.draw(expanded(typed).absolute())

    @work
    async def draw(self, folder: Path) -> None:
        """Draw the faces into `folder`, or take the ones that are there."""
        self.query_one(Problem).show(None)
        try:
            if (await self.engine.inspect(folder)).problem is not None:
                async for done, total in self.engine.demo(folder):
                    self._progress(done, total)
            self.post_message(messages.OpenConfigure(folder, SETTINGS))
        except UserError as error:
            self.query_one(Problem).show(error)
        finally:
            self._drawing = None

    def _progress(self, done: int, total: int) -> None:
        bar = meter(done / max(total, 1), BAR_CELLS, self.alexnet.ascii_only)
        self.query_one("#bar", Line).show(Content.assemble(bar, f" {done:,} of {total:,}"))

    def action_back(self) -> None:
        """Stop drawing, or go back."""
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
            self.query_one("#bar", Line).show(Content("stopped"))
        else:
            super().action_back()
