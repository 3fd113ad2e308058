"""The probe pictures of a run beside one another, each with what the model says of it now."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from core.engine import Picture
from core.runs.events import Probe
from tui.vitals import probe_caption, probe_words
from tui.widgets.line import Line
from tui.widgets.picture import PictureView


class ProbeCell(Widget):
    """One picture and its words; the picture comes later, or never."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.view = PictureView()
        self.words = Line()

    def compose(self) -> ComposeResult:
        yield self.view
        yield self.words


class ProbeRow(Horizontal):
    """As many probes as a run has; the pictures stay while the answers change."""

    async def show(self, probes: Sequence[Probe], roomy: bool) -> None:
        """Show `probes`, new cells only for new pictures; in a `roomy` one there are more words."""
        cells = list(self.query(ProbeCell))
        if [cell.path for cell in cells] != [probe.path for probe in probes]:
            await self.remove_children()
            cells = [ProbeCell(probe.path) for probe in probes]
            await self.mount_all(cells)
        for cell, probe in zip(cells, probes, strict=True):
            cell.words.show(probe_caption(probe) if roomy else probe_words(probe))

    def show_picture(self, path: str, picture: Picture) -> None:
        """Show the picture of the probe `path`."""
        for cell in self.query(ProbeCell):
            if cell.path == path:
                cell.view.show(picture)
