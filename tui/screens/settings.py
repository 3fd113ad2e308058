"""See and change the settings; each counts and is kept as soon as it is right."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from core.errors import UserError
from core.settings import FIELDS, NAMES, new_problem, read_settings, settings_file, write_setting
from core.text import safe_text
from tui.commands import section_bindings
from tui.keymap import check_settings
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.field import Choice, Field
from tui.widgets.form import Form
from tui.widgets.problem import Problem
from tui.words import home_path, plain

# Time that a text stays as it is before it is kept.
REST_SECONDS = 0.5


class SettingsPage(Page):
    """A field for each setting; the keys have a screen of their own."""

    SECTION = "settings"
    BINDINGS = section_bindings("settings")

    def __init__(self) -> None:
        super().__init__()
        self._unsaved: dict[str, object] = {}

    def body(self) -> Iterable[Widget]:
        yield Static("Settings", id="title", markup=False)
        where = Content.assemble("kept in ", plain(home_path(settings_file())))
        yield Static(where, id="where", markup=False)
        found = read_settings()
        if found.settings != self.alexnet.settings:
            self.alexnet.use(found.settings)
        fields = (Field(name, getattr(found.settings, name), FIELDS) for name in NAMES)
        yield Form(*fields, id="fields")
        yield Static("", id="about", markup=False)
        yield Problem(markup=False)
        yield CommandLine(markup=False)
        self.call_after_refresh(self._complain, found.problems)

    def on_mount(self) -> None:
        self.watch(self, "focused", self._moved)
        self.query_one(CommandLine).show(["settings"])
        self.query(Field).first().control.focus()

    def on_unmount(self) -> None:
        self.save()

    def _complain(self, problems: Iterable[UserError]) -> None:
        for problem in problems:
            self.query_one(Problem).show(problem)
            return

    def _moved(self) -> None:
        """Say what the field with the focus means; what was typed into another one is kept."""
        self.save()
        if (field := self.query_one(Form).in_hand) is not None:
            self.query_one("#about", Static).update(plain(field.about))
            self.query_one(CommandLine).show(self._words(field))

    @on(Field.Changed)
    def _changed(self, event: Field.Changed) -> None:
        field = event.field
        if field.error is None:
            self._try(field)
        if field.error is not None:
            self._unsaved.pop(field.setting, None)
            return
        if field.has_focus_within:
            self.query_one(CommandLine).show(self._words(field))
        if isinstance(field.control, Choice):
            self.save()
        else:
            self.set_timer(REST_SECONDS, self.save)

    def _try(self, field: Field) -> None:
        """Have a new value count, unless the app knows better than its type."""
        before = self.alexnet.settings
        if getattr(before, field.setting) == field.value:
            return
        after = msgspec.structs.replace(before, **{field.setting: field.value})
        problem = new_problem(check_settings, before, after)
        if problem is not None:
            field.refuse(problem)
        else:
            self._unsaved[field.setting] = field.value
            self.alexnet.use(after)

    def save(self) -> None:
        """Keep what has changed since the last time."""
        unsaved, self._unsaved = self._unsaved, {}
        try:
            for name, value in unsaved.items():
                write_setting(name, value)
        except UserError as error:
            if self.is_attached:
                self.query_one(Problem).show(error)
            else:
                self.app.notify(safe_text(error.title), severity="error", markup=False)

    def _words(self, field: Field) -> list[str]:
        return ["settings", field.setting, field.typed.strip() or "none"]

    @on(Input.Submitted)
    def action_next(self) -> None:
        """Go to the next field."""
        self.focus_next()

    def action_previous(self) -> None:
        """Go to the field before."""
        self.focus_previous()

    def action_keys(self) -> None:
        """See and change the keys."""
        from tui.screens.keys import KeysPage

        self.app.push_screen(KeysPage())
