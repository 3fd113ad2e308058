"""A line paints the cells that differ, and leaves none that does."""

from __future__ import annotations

from itertools import pairwise, zip_longest

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region

from tui.widgets.line import Line

WORDS = [
    Content(""),
    Content("epoch 1/12"),
    Content("epoch 2/12"),
    Content.assemble("epoch ", ("2", "bold"), "/12"),
    Content.assemble("epoch ", ("13", "bold"), "/12 on faces"),
    Content("epoch 13/12 on facesandmoreofthem"),
    Content("epoch 13/12 on face andmoreofthem"),
    Content("epoch 13/12 on face andmoreofthen"),
    Content("表情 2/12"),
    Content("表情 3/12"),
    Content("tail"),
]


class Lines(App[None]):
    """One line with a margin inside."""

    CSS = "Line { height: 1; width: 24; padding: 0 1; }"

    def compose(self) -> ComposeResult:
        yield Line()


@pytest.mark.parametrize("words", [WORDS, WORDS[::-1]])
async def test_all_that_differs_is_painted_and_little_else(
    words: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions: list[Region] = []
    refresh = Line.refresh

    def spy(self: Line, *painted: Region, **options: bool) -> Line:
        regions.extend(painted or [self.size.region])
        return refresh(self, *painted, **options)

    async with Lines().run_test() as pilot:
        line = pilot.app.query_one(Line)
        monkeypatch.setattr(Line, "refresh", spy)
        for before, after in pairwise(words):
            line.show(before)
            await pilot.pause()
            old = cells(line)
            regions.clear()
            line.show(after)
            await pilot.pause()
            new = cells(line)
            (painted,) = regions
            differing = [
                x for x, (a, b) in enumerate(zip_longest(old, new, fillvalue=("", None))) if a != b
            ]
            assert all(painted.x <= x < painted.right for x in differing), after.plain
        line.show(WORDS[1])
        regions.clear()
        line.show(WORDS[2])
        assert regions == [Region(6, 0, 1, 1)]
        line.show(WORDS[2])
        assert len(regions) == 1


def cells(line: Line) -> list[tuple[str, object]]:
    """Return what each cell of the line shows; a wide character shows in two."""
    shown: list[tuple[str, object]] = []
    for segment in line.render_line(0):
        assert segment.style is not None
        look = segment.style.clear_meta_and_links()
        for character in segment.text:
            shown += [(character, look), ("second half", look)][: cell_len(character)]
    # All blank cells look alike on this line.
    return [("", None) if character == " " else (character, look) for character, look in shown]
