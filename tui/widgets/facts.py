"""What there is to know, a heading and its words a row; words of any length break beside their heading."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Horizontal, VerticalScroll
from textual.content import Content

from tui.widgets.line import Line

Fact = tuple[str, Content]


class Facts(VerticalScroll):
    """Rows that scroll where there is no room for all of them."""

    about = "What the run came to, and what was trained. The arrow keys scroll it."
    DEFAULT_CSS = """
    Facts { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    Facts Horizontal { height: auto; }
    Facts .heading { width: 12; color: $foreground 60%; }
    Facts .words { width: 1fr; height: auto; }
    """

    async def show(self, facts: Sequence[Fact]) -> None:
        """Show `facts` in place of those before; a row of empty words keeps a distance."""
        await self.remove_children()
        rows = []
        for heading, words in facts:
            head, said = Line(classes="heading"), Line(classes="words")
            head.show(Content(heading))
            said.show(words)
            rows.append(Horizontal(head, said))
        await self.mount_all(rows)
