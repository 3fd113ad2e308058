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
        if self.display:
            self.refresh(layout=not self._as_high(before, words))
        else:
            # It is laid out when it comes to be shown.
            self.clear_cached_dimensions()

    def _as_high(self, before: Content, words: Content) -> bool:
        """Tell whether `words` take the room of those before: to lay out a screen costs more than a line."""
        styles, width = self.styles, self.content_size.width
        if not width or styles.is_auto_width:
            return False
        if not styles.is_auto_height:
            return True
        rules = styles.get_rules()
        return before.get_height(rules, width) == words.get_height(rules, width)
