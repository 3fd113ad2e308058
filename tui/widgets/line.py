"""Text that is painted only when it differs from what stands there."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Words from a snapshot; `show` may be called as often as one likes."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self.shown = Content("")

    def render(self) -> Content:
        """Return the words."""
        return self.shown

    def show(self, words: Content) -> None:
        """Show `words`."""
        before, self.shown = self.shown, words
        if before.plain == words.plain and before.spans == words.spans:
            return
        self.refresh(layout=bool(self.styles.auto_dimensions) or self.size.height != 1)
