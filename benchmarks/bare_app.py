"""The least that a Textual program can be: what the first frame is measured against."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header, Static


class Bare(App[None]):
    """A header, a line of text, a footer."""

    def compose(self) -> ComposeResult:
        yield Header()
        yield Static("bare and ready")
        yield Footer()


if __name__ == "__main__":
    Bare().run()
