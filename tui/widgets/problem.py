"""An error in its place on a screen: what happened, and the next step."""

from __future__ import annotations

from textual.widgets import Static

from core.errors import UserError
from tui.words import problem_text


class Problem(Static):
    """Two lines, hidden as long as all is well."""

    def on_mount(self) -> None:
        self.display = False

    def show(self, error: UserError | None) -> None:
        """Show `error`, or nothing."""
        self.display = error is not None
        if error is not None:
            self.update(problem_text(error))
