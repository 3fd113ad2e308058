"""Choose the settings of a training, see what falls where, and start it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from core.config import SETTINGS, TrainConfig, command_line, default
from core.engine import ClassCount, Inspection, planned_parts
from core.errors import UserError
from tui import messages
from tui.commands import section_bindings
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.field import Field
from tui.widgets.problem import Problem
from tui.words import column, home_path, lines, plain, problem_text, tail

FRONT = ("split", "epochs")
MOST_CLASSES = 200
NAME_CELLS = 10


class Configure(Page):
    """Split and epochs in front, the rest folded away; all checked as it is typed."""

    SECTION = "configure"
    PASSING = True
    BINDINGS = section_bindings("configure")

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.settings = dict(settings or {})
        self.inspection: Inspection | None = None
        self.starting = False

    def body(self) -> Iterable[Widget]:
        where = tail(home_path(self.folder), 60)
        yield Static(Content.assemble("Train on ", (where, "bold")), id="title", markup=False)
        front = [self._field(name) for name in FRONT]
        rest = [self._field(name) for name in SETTINGS if name not in FRONT]
        more = Vertical(*rest, id="more")
        more.display = any(name in self.settings for name in SETTINGS if name not in FRONT)
        hint = Static("F2: more settings", id="more-hint", markup=False)
        start = Button("Start training (F5)", id="start", variant="primary", compact=True)
        form = VerticalScroll(*front, start, hint, more, id="form", can_focus=False)
        beside = VerticalScroll(
            Static("", id="about", markup=False), Static("", id="parts", markup=False), id="beside"
        )
        beside.can_focus = False
        yield Horizontal(form, beside, id="middle")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def _field(self, name: str) -> Field:
        return Field(name, self.settings.get(name, default(name)))

    def on_mount(self) -> None:
        self.watch(self, "focused", self._explain)
        self._show_choice()
        self.inspect()
        self.query_one("#field-split", Field).control.focus()

    @work
    async def inspect(self) -> None:
        """Count the pictures, to show what falls where."""
        self.inspection = await self.engine.inspect(self.folder)
        self._show_choice()

    def config(self) -> TrainConfig | None:
        """Return what was chosen, None while a field is wrong."""
        fields = self.query(Field).results(Field)
        values = {field.setting: field.value for field in fields if field.error is None}
        if len(values) < len(SETTINGS):
            return None
        return TrainConfig(data=str(self.folder), **values)

    @on(Field.Changed)
    def _show_choice(self) -> None:
        """Show the command line and the parts that the fields now mean."""
        config = self.config()
        if config is not None:
            self.query_one(CommandLine).show(command_line(config))
        split = self.query_one("#field-split", Field)
        if self.inspection is not None and split.error is None:
            self.query_one("#parts", Static).update(parts_text(self.inspection, split.value))

    def _explain(self) -> None:
        """Say what the field with the focus means."""
        for field in self.query(Field).results(Field):
            if field.has_focus_within:
                self.query_one("#about", Static).update(plain(field.about))

    @on(Input.Submitted)
    def action_next(self) -> None:
        """Go to the next field."""
        self.focus_next()

    def action_previous(self) -> None:
        """Go to the field before."""
        self.focus_previous()

    def action_more(self) -> None:
        """Show or hide the settings that mostly stay as they are."""
        more = self.query_one("#more")
        more.display = not more.display
        word = "fewer" if more.display else "more"
        self.query_one("#more-hint", Static).update(f"F2: {word} settings")

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Start the training, or go to the field that is wrong."""
        if self.starting:
            return
        config = self.config()
        if config is None:
            self._go_to_wrong()
            return
        self.starting = True
        self.query_one(Problem).show(None)
        self.query_one("#start", Button).label = "Starting …"
        self.start(config)

    def _go_to_wrong(self) -> None:
        wrong = [field for field in self.query(Field).results(Field) if field.error]
        if (
            any(field.setting not in FRONT for field in wrong)
            and not self.query_one("#more").display
        ):
            self.action_more()
        wrong[0].control.focus()
        self.query_one(Problem).show(wrong[0].error)

    @work(exclusive=True, group="start")
    async def start(self, config: TrainConfig) -> None:
        """Have the engine start the training; what it refuses stays on the form."""
        try:
            run = await self.engine.train(config)
        except UserError as error:
            self.query_one(Problem).show(error)
        else:
            self.post_message(messages.OpenRun(run))
        finally:
            self.starting = False
            if self.is_attached:
                self.query_one("#start", Button).label = "Start training (F5)"


def parts_text(inspection: Inspection, split: int) -> Content:
    """Return how many pictures of each class fall into each part, or why none can."""
    if inspection.problem is not None:
        return problem_text(inspection.problem)
    parts = planned_parts([found.pictures for found in inspection.classes], split)
    head = Content.styled(_row("class", ("train", "validation", "test")), "bold")
    total = _row("all", tuple(sum(column) for column in zip(*parts, strict=True)))
    rows = _class_rows(inspection.classes, parts)
    return lines(head, *rows, Content.styled(total, "bold"))


def _class_rows(
    classes: Sequence[ClassCount], parts: Sequence[tuple[int, int, int]]
) -> list[Content]:
    pairs = list(zip(classes, parts, strict=True))
    rows = [
        Content(_row(column(found.name, NAME_CELLS), part)) for found, part in pairs[:MOST_CLASSES]
    ]
    if len(pairs) > MOST_CLASSES:
        rows.append(Content(f"… and {len(pairs) - MOST_CLASSES:,} more classes"))
    return rows


def _row(name: str, cells: Sequence[object]) -> str:
    train, validation, test = (f"{cell:,}" if isinstance(cell, int) else cell for cell in cells)
    return f"{name:<{NAME_CELLS}}{train:>8}{validation:>11}{test:>8}"
