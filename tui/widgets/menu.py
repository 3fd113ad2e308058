"""A list whose lines are chosen with arrows, j and k, and enter."""

from __future__ import annotations

from textual.widgets import OptionList

from tui.command import bindings
from tui.commands import LIST


class Menu(OptionList):
    """An `OptionList` with the keys of this program."""

    BINDINGS = bindings(*LIST)
