"""The foot of a screen: the keys that work now, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui.commands import footer

if TYPE_CHECKING:
    from tui.app import AlexNetApp
    from tui.screens.page import Page


class KeyLine(Widget):
    """One line of keys from the registry."""

    def __init__(self, section: str) -> None:
        super().__init__()
        self.section = section
        self._painted: list[tuple[str, str]] = []

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._focus_moved, init=False)

    def _focus_moved(self) -> None:
        self.touch()

    def touch(self) -> None:
        """Paint the keys anew if they are others now."""
        if self._keys() != self._painted:
            self.refresh()

    def _keys(self) -> list[tuple[str, str]]:
        """Return the keys that work now and what each does."""
        typing = isinstance(self.screen.focused, Input)
        keymap, page = cast("AlexNetApp", self.app).keymap, cast("Page", self.screen)
        commands = footer(self.section, typing, keymap)
        return [(key, command.name) for command, key in commands if page.offers(command.action)]

    def render(self) -> Content:
        """Return the keys that fit in the width."""
        self._painted = self._keys()
        shown = Content("")
        for key, name in self._painted:
            words = (f"{name} ", "$foreground 60%")
            item = Content.assemble((f" {key} ", "bold $text-accent"), words)
            if shown.cell_length + item.cell_length > self.size.width:
                break
            shown = shown.append(item)
        return shown
