"""Choose the settings of a training, see what falls where, and start it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from core.config import SETTINGS, TrainConfig, command_line, default, names_in
from core.engine import Inspection, Report
from core.errors import UserError
from tui import messages
from tui.commands import section_bindings
from tui.costs import sizes_of
from tui.findings import (
    damage,
    data_lines,
    in_one_line,
    problem_of,
    reading,
    reported,
    without_hopeless,
)
from tui.parts import parts_text
from tui.screens.ask import Ask, Reply
from tui.screens.findings import Findings
from tui.screens.page import Page
from tui.screens.presets import choose_settings, difference_words, save_settings
from tui.widgets.command_line import CommandLine
from tui.widgets.costs import CostLines
from tui.widgets.field import Field
from tui.widgets.form import Form
from tui.widgets.line import Line
from tui.widgets.problem import Problem
from tui.words import home_path, lines, plain, tail

FRONT = ("split", "epochs")
# The settings that decide how the pictures are read and who goes to which part.
DEALING = ("split", "seed", "group", "without", "image_size")
# So much of the right side is kept for the words on the field with the focus.
ABOUT_LINES = 5
DAMAGED_REPLIES = (
    Reply("l", "look at what cannot be read", "look"),
    Reply("s", "start: train on the rest", "start"),
    Reply("b", "back to the settings", ""),
)


class Configure(Page):
    """Split and epochs in front, the rest folded away; all checked as it is typed."""

    SECTION = "configure"
    PASSING = True
    BINDINGS = section_bindings("configure")
    # Time that the settings stay as they are before the doctor is asked anew.
    REST_SECONDS = 0.6

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.settings = dict(settings or {})
        self.inspection: Inspection | None = None
        # The classes that were left out when it was last inspected.
        self._inspected: str | None = None
        # What the doctor said last, and of a deal by which settings.
        self.report: Report | None = None
        self._reported: TrainConfig | None = None
        # The settings by which the doctor deals now, or has dealt.
        self._asked: TrainConfig | None = None
        self._said = Content("")
        self._failure: UserError | None = None
        self._forbidden = False
        self._warned = False
        self._costs = ""
        self.starting = False

    def body(self) -> Iterable[Widget]:
        where = tail(home_path(self.folder), 60)
        yield Static(Content.assemble("Train on ", (where, "bold")), id="title", markup=False)
        front = [self._field(name) for name in FRONT]
        rest = [self._field(name) for name in SETTINGS if name not in FRONT]
        more = Vertical(*rest, id="more")
        more.display = any(name in self.settings for name in SETTINGS if name not in FRONT)
        hint = Static("", id="more-hint", markup=False)
        start = Button("", id="start", variant="primary", compact=True)
        differences = Line(id="differences")
        form = Form(*front, start, differences, hint, more, id="form")
        beside = VerticalScroll(
            Static("", id="about", markup=False),
            Line(id="parts"),
            Line(id="findings"),
            id="beside",
        )
        beside.can_focus = False
        left = Vertical(form, CostLines(id="costs"), id="left")
        yield Horizontal(left, beside, id="middle")
        yield Line(id="examined")
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def _field(self, name: str) -> Field:
        return Field(name, self.settings.get(name, default(name)))

    def on_mount(self) -> None:
        self.watch(self, "focused", self._explain)
        self._show_choice()
        self.inspect()
        self._form.field("split").control.focus()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._name_keys()

    def _name_keys(self) -> None:
        """Say by which keys to start and to see more, as they are now."""
        words = f"Start training ({self.key('configure.start')})"
        self.query_one("#start", Button).label = "Starting …" if self.starting else Content(words)
        what = "fewer" if self.query_one("#more").display else "more"
        self.query_one("#more-hint", Static).update(
            f"{self.key('configure.more')}: {what} settings"
        )

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._show_data)

    @work(exclusive=True, group="inspect")
    async def inspect(self) -> None:
        """Count the pictures, to show what falls where."""
        self._inspected = self._without.value
        found = await self.engine.inspect(self.folder, names_in(self._inspected))
        self.inspection, self._asked = found, None
        self._ask_doctor(rest=0)
        self._show_data()

    def config(self) -> TrainConfig | None:
        """Return what was chosen, None while a field is wrong."""
        values = self._form.values()
        return None if values is None else TrainConfig(data=str(self.folder), **values)

    @on(Field.Changed)
    def _show_choice(self) -> None:
        """Show the command line and the parts that the fields now mean."""
        config = self.config()
        if config is not None:
            self.query_one(CommandLine).show(command_line(config))
        self.query_one("#differences", Line).show(difference_words(self._form.fields))
        if self.inspection is not None and self._inspected != self._without.value:
            self.inspect()
        self._ask_doctor()
        self._show_data()

    @property
    def _form(self) -> Form:
        return self.query_one(Form)

    @property
    def _without(self) -> Field:
        """The field that says which classes are left out."""
        return self._form.field("without")

    def _dealing(self) -> TrainConfig | None:
        """Return the settings that say how the pictures are read and dealt, None while one is wrong."""
        values = self._form.values(*DEALING)
        return None if values is None else TrainConfig(data=str(self.folder), **values)

    def _ask_doctor(self, rest: float | None = None) -> None:
        """Have the doctor deal by the settings as they are now, unless it does or has."""
        dealing = self._dealing()
        if self.inspection is None or self.starting or dealing == self._asked:
            return
        self._leave_doctor()
        self._asked = dealing
        if dealing not in (None, self._reported) and self.inspection.problem is None:
            self.examine(dealing, self.REST_SECONDS if rest is None else rest)

    def _leave_doctor(self) -> None:
        """End an examination that goes on."""
        self.workers.cancel_group(self, "doctor")
        self._asked, self._failure, self._said = None, None, Content("")

    @work(exclusive=True, group="doctor")
    async def examine(self, dealing: TrainConfig, rest: float) -> None:
        """Have the doctor read what is new in the folder and deal it, once nobody types any more."""
        self._say(Content("examining …"))
        await asyncio.sleep(rest)
        try:
            self.report = await reported(
                self.engine.doctor(self.folder, dealing),
                lambda done, total: self._say(reading(done, total)),
            )
            self._reported = dealing
        except UserError as error:
            self._failure = error
        self._say(Content(""))

    def _say(self, words: Content) -> None:
        """Show how far the doctor has come."""
        self._said = words
        self._show_data()

    @property
    def found(self) -> Report | None:
        """What the doctor says of a deal by the settings as they are now."""
        if self.report is None or self._dealing() not in (None, self._reported):
            return None
        return self.report

    def _show_data(self) -> None:
        """Show what falls where, what was found in the data, and what forbids training on it."""
        # Who goes back while something is measured leaves a screen of which parts are gone already.
        if self.inspection is None or len(self.query("#parts, #findings")) < 2:
            return
        found, split = self.found, self._form.field("split")
        said = [self._said] if self._said else data_lines(found, self._listing) if found else []
        room = self.query_one("#beside").size.height - ABOUT_LINES - len(said)
        parts = parts_text(self.inspection, split.value, found, room)
        self.query_one("#parts", Line).show(parts)
        self.query_one("#findings", Line).show(lines(*said))
        self._show_examined()
        problem = self.inspection.problem or self._failure
        if problem is None and found is not None:
            problem = problem_of(found, self.key)
        if problem is not None or self._forbidden:
            self.query_one(Problem).show(problem)
        self._forbidden = problem is not None
        self.keys_changed()
        self._ask_costs()

    @property
    def _listing(self) -> str:
        """The key that lists all findings."""
        return self.key("configure.findings")

    def _show_examined(self) -> None:
        """Show in one line what a narrow window has no room for beside the form."""
        assert self.inspection is not None
        words = self._said or in_one_line(self.inspection, self.found, self._listing)
        if self._costs and not self._said:
            # What is short comes before all else, the time after it.
            both = (self._costs, words) if self._costs.startswith("!") else (words, self._costs)
            words = Content.assemble(both[0], "  ", both[1])
        self.query_one("#examined", Line).show(words)

    def _ask_costs(self) -> None:
        """Have the costs of the settings reckoned; speed is measured only once nobody reads pictures."""
        if self.inspection is None or self.starting:
            return
        config = self.config()
        sizes = sizes_of(self.inspection, self.found, config) if config else None
        may_measure = self.found is not None or self._failure is not None
        self.query_one(CostLines).ask(config, sizes, may_measure)

    @on(CostLines.Told)
    def _costs_told(self, event: CostLines.Told) -> None:
        self._costs = event.short
        if self.inspection is not None:
            self._show_examined()

    def _explain(self) -> None:
        """Say what the field with the focus means."""
        if (field := self._form.in_hand) is not None:
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
        self._name_keys()

    def _unfold_for(self, settings: Iterable[str]) -> None:
        """Show the settings that mostly stay as they are if one of `settings` is among them."""
        if any(name not in FRONT for name in settings) and not self.query_one("#more").display:
            self.action_more()

    @work(exclusive=True, group="presets")
    async def action_load(self) -> None:
        """Take the settings of a preset or of a past run."""
        with self.query_one(Problem).telling():
            settings = await choose_settings(self, self.folder)
            if settings is not None:
                self._take(settings)

    def _take(self, settings: Mapping[str, object]) -> None:
        """Put `settings` into the fields, into all others their defaults."""
        self._form.take(settings)
        self._unfold_for(settings)
        self.query_one(Problem).show(None)

    @work(exclusive=True, group="presets")
    async def action_save(self) -> None:
        """Save the settings as a preset."""
        if (config := self.config()) is None:
            self._go_to_wrong()
            return
        with self.query_one(Problem).telling():
            await save_settings(self, config)

    def action_reset(self) -> None:
        """Give the field with the focus its default."""
        if (field := self._form.in_hand) is not None:
            field.set(field.default)

    def action_reset_all(self) -> None:
        """Give all fields their defaults."""
        self._take({})

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Start the training, or go to the field that is wrong."""
        if self.starting:
            return
        if (config := self.config()) is None:
            self._go_to_wrong()
            return
        damaged = damage(self.report)
        if damaged is not None and not self._warned:
            replies = DAMAGED_REPLIES
            self.app.push_screen(
                Ask(damaged.text, replies), lambda reply: self._answered(reply, config)
            )
            return
        self.starting = True
        self._leave_doctor()
        self.query_one(CostLines).leave()
        self._show_data()
        self.query_one(Problem).show(None)
        self._name_keys()
        self.start(config)

    def _answered(self, reply: str | None, config: TrainConfig) -> None:
        """Do what was said to the question whether to train on what can be read."""
        if reply == "start":
            self._warned = True
            self.action_start()
        elif reply == "look" and self.report is not None:
            self.app.push_screen(Findings(self.folder, self.report))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell whether there are findings to list."""
        if action == "leave_out":
            return bool(self._hopeless)
        return self.found is not None if action == "findings" else True

    @property
    def _hopeless(self) -> str:
        """What to leave out so that the folder may be trained on."""
        if self.inspection is None:
            return ""
        return without_hopeless(self.inspection, self.found, self._inspected)

    def action_leave_out(self) -> None:
        """Leave out the classes that have too few pictures."""
        if without := self._hopeless:
            self._without.set(without)
            self._unfold_for(["without"])

    def action_findings(self) -> None:
        """List all that was found."""
        if self.found is not None:
            self.app.push_screen(Findings(self.folder, self.found))

    def _go_to_wrong(self) -> None:
        wrong = [field for field in self._form.fields if field.error]
        self._unfold_for(field.setting for field in wrong)
        wrong[0].control.focus()
        self.query_one(Problem).show(wrong[0].error)

    @work(exclusive=True, group="start")
    async def start(self, config: TrainConfig) -> None:
        """Have the engine start the training; what it refuses stays on the form."""
        try:
            run = await self.engine.train(config)
        except UserError as error:
            self.starting = False
            self.query_one(Problem).show(error)
            self._ask_doctor(rest=0)
        else:
            self.post_message(messages.OpenRun(run))
        finally:
            self.starting = False
            if self.is_attached:
                self._name_keys()
