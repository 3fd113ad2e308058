"""A line is painted when its words or their looks differ, and only then."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from tui.widgets.line import Line


class Lines(App[None]):
    """One line."""

    CSS = "Line { height: 1; width: 24; }"

    def compose(self) -> ComposeResult:
        yield Line()


async def test_it_is_painted_when_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = []
    refresh = Line.refresh

    def spy(self: Line, **options: bool) -> Line:
        painted.append(self.shown.plain)
        return refresh(self, **options)

    async with Lines().run_test() as pilot:
        line = pilot.app.query_one(Line)
        monkeypatch.setattr(Line, "refresh", spy)
        for words in ("epoch 1", "epoch 1", "epoch 2"):
            line.show(Content(words))
        line.show(Content.assemble("epoch ", ("2", "bold")))
        await pilot.pause()
        assert painted == ["epoch 1", "epoch 2", "epoch 2"]
        assert "".join(segment.text for segment in line.render_line(0)).strip() == "epoch 2"
