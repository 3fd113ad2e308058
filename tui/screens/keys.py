"""All commands with their keys; a command gets another key by pressing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets.option_list import Option

from core.errors import UserError
from core.settings import new_problem, write_key
from tui.command import Command, rebound, shown_key
from tui.commands import EVERYWHERE, PAGED_LIST, SECTIONS, TREE, section_bindings
from tui.keymap import check_settings
from tui.screens.dialog import Dialog
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.menu import Menu
from tui.widgets.problem import Problem
from tui.words import lines, plain

KEY_CELLS = 24


class KeysPage(Page):
    """The list of all commands, screen by screen."""

    SECTION = "keys"
    BINDINGS = section_bindings("keys")

    def body(self) -> Iterable[Widget]:
        yield Static("Keys", id="title", markup=False)
        yield Menu(*self._options(), id="menu", markup=False)
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(Menu).highlighted = 1

    def _options(self) -> Iterator[Option]:
        """Yield a line for each screen and below it one for each of its commands."""
        seen = set()
        for title, commands in groups():
            yield Option(Content.styled(title, "bold"), disabled=True)
            for command in rebound(commands, self.alexnet.keymap):
                if command.id not in seen:
                    seen.add(command.id)
                    other = command.id in self.alexnet.keymap
                    yield Option(_line(command, other), id=command.id)

    def _refill(self) -> None:
        menu = self.query_one(Menu)
        marked = menu.highlighted
        menu.set_options(self._options())
        menu.highlighted = marked
        self.keys_changed()

    @property
    def marked(self) -> Command | None:
        """The command that the cursor is on, with its own keys."""
        option = self.query_one(Menu).highlighted_option
        commands = (command for _, group in groups() for command in group)
        return next((c for c in commands if option is not None and c.id == option.id), None)

    @on(Menu.OptionHighlighted)
    def _show_command(self) -> None:
        command = self.marked
        if command is not None:
            keys = self.alexnet.keymap.get(command.id, command.keys)
            said = ",".join(shown_key(key) for key in keys.split(","))
            self.query_one(CommandLine).show(["settings", f"keys.{command.id}", said])

    @on(Menu.OptionSelected)
    def action_change(self) -> None:
        """Ask for another key for the marked command."""
        command = self.marked
        if command is not None:
            self.app.push_screen(AskKey(command), lambda key: self._give(command.id, key))

    def action_usual(self) -> None:
        """Give the marked command its own keys back."""
        command = self.marked
        if command is not None and command.id in self.alexnet.settings.keys:
            self._change(command.id, None)

    def _give(self, command: str, key: str | None) -> None:
        if key is not None:
            self._change(command, key)

    def _change(self, command: str, key: str | None) -> None:
        """Have another key count and keep it, unless it would mean two things."""
        before = self.alexnet.settings
        keys = {name: said for name, said in before.keys.items() if name != command}
        if key is not None:
            keys[command] = key
        after = msgspec.structs.replace(before, keys=keys)
        try:
            if problem := new_problem(check_settings, before, after):
                raise problem
            write_key(command, key)
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        self.query_one(Problem).show(None)
        self.alexnet.use(after)
        self._refill()


class AskKey(Dialog[str | None]):
    """Gives back the next key that is pressed, None for escape."""

    def __init__(self, command: Command) -> None:
        super().__init__()
        self.command = command

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            question = Content.assemble("Press the key for ", (self.command.name, "bold"), ".")
            ways_out = Content.styled("esc: leave it as it is", "$foreground 60%")
            yield Static(lines(question, plain(self.command.help), ways_out), markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(None if event.key == "escape" else event.key)


def groups() -> Iterator[tuple[str, tuple[Command, ...]]]:
    """Yield the commands, grouped by where they are."""
    yield "everywhere", EVERYWHERE
    yield "in lists and trees", (*PAGED_LIST, *TREE)
    for section in SECTIONS.values():
        yield section.title, section.commands


def _line(command: Command, other: bool) -> Content:
    keys = ", ".join(shown_key(key) for key in command.keys.split(","))
    mark = "* " if other else "  "
    return Content.assemble("   ", (f"{mark}{keys:<{KEY_CELLS}}", "bold"), command.help)
