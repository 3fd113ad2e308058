"""How many pictures fell to each class, as bars, the most frequent first."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.words import column, count_bar, lines, plain

_NAME_WIDTH = 12
_NUMBER_WIDTH = 7


class ClassCounts(Widget):
    """A row a class, as many as fit, then how many more; the failures last."""

    DEFAULT_CSS = "ClassCounts { height: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._counts: list[tuple[str, int]] = []
        self._failed = 0

    def show(self, counts: Mapping[str, int], failed: int) -> None:
        """Show `counts`, and the number of pictures that have no answer."""
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if (ranked, failed) != (self._counts, self._failed):
            self._counts, self._failed = ranked, failed
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(len(self._counts) + (1 if self._failed else 0), 1)

    def render(self) -> Content:
        """Return the rows that fit."""
        width, height = self.size
        room = height - (1 if self._failed else 0)
        fitting = self._counts if len(self._counts) <= room else self._counts[: max(room - 1, 0)]
        rows = [self._row(name, number, width, "") for name, number in fitting]
        more = len(self._counts) - len(fitting)
        if more:
            rows.append(plain(f"… {more:,} more classes", "$foreground 60%"))
        if self._failed:
            rows.append(self._row("✗ no answer", self._failed, width, "$text-error"))
        return lines(*rows)

    def _row(self, name: str, number: int, width: int, style: str) -> Content:
        most = max([self._failed, *(number for _, number in self._counts)])
        bar = width - _NAME_WIDTH - _NUMBER_WIDTH - 1
        return Content.assemble(
            (column(name, _NAME_WIDTH), style),
            f"{number:>{_NUMBER_WIDTH},} ",
            count_bar(number, most, max(bar, 1), getattr(self.app, "ascii_only", False)),
        )
