"""Text of which only those cells are painted that differ from what stands there."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
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
        if self.styles.auto_dimensions or self.size.height != 1:
            self.refresh(layout=True)
        else:
            self.refresh(_changed(before, words, self.size.width))


def _changed(before: Content, after: Content, width: int) -> Region:
    """Return the cells of a line `width` wide from the first that differs to the last."""
    old, new = _cells(before), _cells(after)
    if before.cell_length != len(old) or after.cell_length != len(new):
        # Wide characters: cells are not counted as characters.
        return Region(0, 0, width, 1)
    differing = [x for x, (a, b) in enumerate(zip(old, new, strict=False)) if a != b]
    first = differing[0] if differing else min(len(old), len(new))
    end = differing[-1] + 1 if len(old) == len(new) else width
    if max(len(old), len(new)) > width:
        # The word in which the line is full may go to the next, which is not seen.
        first, end = before.plain.rfind(" ", 0, min(first, width)) + 1, width
    return Region(first, 0, max(end - first, 0), 1)


def _cells(words: Content) -> list[tuple[str, tuple[object, ...]]]:
    styles: list[tuple[object, ...]] = [()] * len(words.plain)
    for start, end, style in words.spans:
        for x in range(start, min(end, len(styles))):
            styles[x] = (*styles[x], style)
    return list(zip(words.plain, styles, strict=True))
