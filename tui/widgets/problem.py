"""An error in its place on a screen: what happened, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Show the `UserError` that ends what is done within."""
        try:
            yield
        except UserError as error:
            self.show(error)
