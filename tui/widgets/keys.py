"""The foot of a screen: the keys that work now, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui.commands import footer

if TYPE_CHECKING:
    from tui.app import AlexNetApp


class KeyLine(Widget):
    """One line of keys from the registry."""

    def __init__(self, section: str) -> None:
        super().__init__()
        self.section = section

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._focus_moved, init=False)

    def _focus_moved(self) -> None:
        self.refresh()

    def render(self) -> Content:
        """Return the keys that fit in the width."""
        typing = isinstance(self.screen.focused, Input)
        shown = Content("")
        keymap = cast("AlexNetApp", self.app).keymap
        for command, key in footer(self.section, typing, keymap):
            if not self.screen.check_action(command.action, ()):
                continue
            words = (f"{command.name} ", "$foreground 60%")
            item = Content.assemble((f" {key} ", "bold $text-accent"), words)
            if shown.cell_length + item.cell_length > self.size.width:
                break
            shown = shown.append(item)
        return shown
