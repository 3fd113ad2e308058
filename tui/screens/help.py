"""What the keys do on the screen below, and what the widget with the focus means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.command import Command, Section, bindings, rebound
from tui.commands import EVERYWHERE, HELP, LOG, QUIT, SECTIONS, TREE
from tui.screens.dialog import Dialog
from tui.words import lines, plain


class HelpText(VerticalScroll):
    """Scrolls by the keys of a log as well as by arrows."""

    BINDINGS = bindings(*LOG)


class Help(Dialog[None]):
    """Any of the keys that go back closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,backspace,q,enter", "dismiss", "close"),
        Binding("question_mark,f1", "dismiss", "close", id="app.help"),
    ]

    def __init__(
        self,
        section: Section,
        focused: Widget | None,
        keymap: Mapping[str, str] | None = None,
        in_dialog: bool = False,
    ) -> None:
        super().__init__()
        self.section = section
        self.keymap = keymap or {}
        # Keys of the app end at a dialog.
        self.everywhere = (HELP, QUIT) if in_dialog else EVERYWHERE
        self.about = about(focused)
        self.of_widget = tuple(of_widget(focused))

    def compose(self) -> ComposeResult:
        with HelpText(classes="dialog"):
            yield Static(self._text(), markup=False)

    def _text(self) -> Content:
        section = self.section
        parts = [Content.styled(section.title, "bold"), Content(section.about), Content("")]
        if self.about:
            parts += [plain(self.about), Content("")]
        # What has the focus takes its keys before the screen does.
        taken = {key for command in self.of_widget for key in command.keys.split(",")}
        left = [c for c in section.commands if not taken.issuperset(c.keys.split(","))]
        commands = rebound((*left, *self.of_widget, *self.everywhere), self.keymap)
        width = max(len(command.shown_keys) for command in commands)
        parts += [_line(command, width) for command in commands]
        parts += [Content(""), Content.styled("esc closes this.", "$foreground 60%")]
        return lines(*parts)


def of_widget(widget: Widget | None) -> Iterator[Command]:
    """Yield the commands of the list, tree, grid or log that has the focus."""
    own = {getattr(binding, "id", None) for binding in getattr(widget, "BINDINGS", ())}
    told = set()
    for command in (*TREE, *(c for section in SECTIONS.values() for c in section.widgets)):
        if command.id in own and command.id not in told:
            told.add(command.id)
            yield command


def about(widget: Widget | None) -> str:
    """Return what the nearest widget around `widget` says about itself."""
    for node in widget.ancestors_with_self if widget is not None else ():
        text = getattr(node, "about", None)
        if isinstance(text, str):
            return text
    return ""


def _line(command: Command, width: int) -> Content:
    keys = f"{command.shown_keys:<{width}}  "
    return Content.assemble((keys, "bold $text-accent"), command.help)
