"""A screen with the charts of a run: the keys that say how to look at them."""

from __future__ import annotations

from tui.screens.page import Page
from tui.widgets.charts import ZOOM, Charts

# The charts in turn: both with everything else, both alone, one alone.
VIEWS = ("-all", "-charts", "-loss", "-accuracy")
JUMP_COLUMNS = 10


class ChartedPage(Page):
    """Hands its keys on to the one `Charts` on it."""

    @property
    def charts(self) -> Charts:
        """The charts of this screen."""
        return self.query_one(Charts)

    def on_mount(self) -> None:
        self.add_class(VIEWS[0])

    def action_charts(self) -> None:
        """Go on to the next view of the charts."""
        shown = next(view for view in VIEWS if self.has_class(view))
        self.remove_class(shown)
        self.add_class(VIEWS[(VIEWS.index(shown) + 1) % len(VIEWS)])

    def action_log_scale(self) -> None:
        """Draw the loss on a logarithmic axis, or not."""
        self.charts.log_scale()

    def action_x_axis(self) -> None:
        """Draw along epochs, steps or time."""
        self.charts.next_axis()

    def action_smooth(self) -> None:
        """Smooth as usual, more, or not at all."""
        self.charts.next_smoothing()

    def action_zoom_in(self) -> None:
        """Look closer, around the crosshair."""
        self.charts.zoom(1 / ZOOM)

    def action_zoom_out(self) -> None:
        """Look at more of the run."""
        self.charts.zoom(ZOOM)

    def action_crosshair_left(self) -> None:
        """Move the crosshair to the left."""
        self.charts.move(-1)

    def action_crosshair_right(self) -> None:
        """Move the crosshair to the right."""
        self.charts.move(1)

    def action_jump_left(self) -> None:
        """Move the crosshair far to the left."""
        self.charts.move(-JUMP_COLUMNS)

    def action_jump_right(self) -> None:
        """Move the crosshair far to the right."""
        self.charts.move(JUMP_COLUMNS)

    def action_whole(self) -> None:
        """Show the whole run again, without the crosshair."""
        self.charts.whole()
