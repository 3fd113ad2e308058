"""Text that is painted only when it differs from what stands there."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Words from a snapshot; `show` may be called as often as one likes."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self.shown = Content("")

    def show(self, words: Content) -> None:
        """Show `words`."""
        same = words.plain == self.shown.plain
        if not same or words.spans != self.shown.spans:
            self.shown = words
            self.update(words, layout=not same)
