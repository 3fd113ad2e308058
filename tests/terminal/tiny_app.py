"""The smallest app that can do all that a terminal has to survive, one key for each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.timer import Timer
from textual.widgets import Input, Static

from core.errors import UserError
from tui.launcher import split_off
from tui.terminal import SafeLineFilter, run

HOSTILE = (
    "title \x1b]0;owned\x07 clip \x1b]52;c;b3duZWQ=\x07 colour \x1b[31m c1 \x9b31m",
    "bidi \u202egpj.exe zero\u200bwidth line\x0bfeed newline\nbelow bell\x07 del\x7f half\udce9",
)


class Tiny(App[None]):
    """Shows the last key; letters make trouble."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "#state { height: 1; } #film { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._filters_of_ours: list[LineFilter] = [SafeLineFilter()]
        self._ticks = 0
        self._film: Timer | None = None

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._filters_of_ours]

    def compose(self) -> ComposeResult:
        yield Static("ready", id="state", markup=False)
        yield Static("", id="film", markup=False)
        yield Input(id="field", disabled=True)

    def _say(self, text: str) -> None:
        self.query_one("#state", Static).update(text, layout=False)

    def on_key(self, event: events.Key) -> None:
        self._say(f"key {event.key}")
        action = getattr(self, f"_press_{event.character}", None)
        if event.is_printable and action is not None:
            action()

    def on_resize(self, event: events.Resize) -> None:
        self._say(f"size {event.size.width}x{event.size.height}")

    def on_paste(self, event: events.Paste) -> None:
        self._say(f"pasted {len(event.text)} {event.text[:10]!r}")

    def _press_q(self) -> None:
        self.exit()

    def _press_x(self) -> None:
        raise RuntimeError("boom \x1b[31m")

    def _press_u(self) -> None:
        raise UserError("there is nothing here", "look elsewhere")

    def _press_n(self) -> None:
        os.write(2, b"[W] native noise\n")
        self._say("noise made")

    def _press_h(self) -> None:
        # Straight into a renderable, past everything that would clean it.
        self.query_one("#film", Static).update(Text("\n".join(HOSTILE)))
        self._say("hostile shown")

    def _press_s(self) -> None:
        self._tell("asleep")
        time.sleep(60)

    def _press_c(self) -> None:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self._say("child started")

    def _press_f(self) -> None:
        if self._film is None:
            self._film = self.set_interval(0.02, self._tick)
        else:
            self._film.stop()
            self._tell(f"stopped {self._ticks}")

    def _tick(self) -> None:
        """Change every cell, and tell how far we are."""
        self._ticks += 1
        height = self.query_one("#film").size.height
        lines = [
            f"tick {self._ticks} " + chr(33 + (self._ticks + y) % 90) * 60 for y in range(height)
        ]
        self.query_one("#film", Static).update("\n".join(lines))
        self._tell(str(self._ticks))

    def _tell(self, text: str) -> None:
        """Tell the test something past the terminal."""
        with Path(os.environ["TINY_PIPE"]).open("w") as pipe:
            print(text, file=pipe)


def main() -> int:
    """Run the app as `run_tui.py` does; with `--guarded` there is a launcher in front of it."""
    if "--guarded" in sys.argv and (code := split_off()) is not None:
        return code
    app: App[Any] = Tiny()
    try:
        return run(app, mouse="--mouse" in sys.argv)
    except UserError as error:
        print(f"error: {error.title}\n{error.hint}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
