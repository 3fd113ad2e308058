"""The app: it holds the engine and opens screens; all else lives in the screens themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import App, SystemCommand
from textual.screen import Screen

from core.engine import Engine
from tui import messages
from tui.commands import EVERYWHERE, SECTIONS, bindings

if TYPE_CHECKING:
    from textual.filter import LineFilter


class AlexNetApp(App[None]):
    """Train, watch and classify. Each screen is imported when it is first opened."""

    TITLE = "AlexNet in your terminal"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS = bindings(*EVERYWHERE)

    def __init__(self, engine: Engine, at: Path | None = None, ascii_only: bool = False) -> None:
        super().__init__()
        self.engine = engine
        self.at = at
        self.ascii_only = ascii_only
        self.animation_level = "none"
        self._safety: list[LineFilter] | None = None

    def get_default_screen(self) -> Screen[None]:
        """Return the first screen, so that the first frame is the right one already."""
        from tui.screens.home import Home

        return Home()

    async def on_unmount(self) -> None:
        await self.engine.close()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add what keeps control codes, and where asked all but ASCII, away from the terminal."""
        if self._safety is None:
            from tui.terminal import SafeLineFilter

            self._safety = [SafeLineFilter()]
            if self.ascii_only:
                from tui.plain import AsciiLineFilter

                self._safety.append(AsciiLineFilter())
        return [*super().get_line_filters(), *self._safety]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the keys of the screen that is shown, then the themes."""
        section = SECTIONS.get(getattr(screen, "SECTION", ""))
        for command in (*(section.commands if section else ()), *EVERYWHERE):
            if command.action != "app.command_palette":
                title = f"{command.name[0].upper()}{command.name[1:]} ({command.shown_keys})"
                run = partial(screen.run_action, command.action)
                yield SystemCommand(title, command.help, run)
        yield SystemCommand("Theme", "Choose light or dark colours.", self.action_change_theme)

    def action_help(self) -> None:
        """Explain the screen that is shown."""
        from tui.screens.help import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help(getattr(self.screen, "SECTION", "home"), self.focused))

    def action_help_quit(self) -> None:
        """Answer Ctrl+C, which people press to end a program."""
        self.notify("ctrl+q leaves the program. Training goes on.", markup=False)

    @on(messages.OpenBrowse)
    def _browse(self, message: messages.OpenBrowse) -> None:
        from tui.screens.browse import Browse

        self.push_screen(Browse(message.at or self.at or Path.cwd()))

    @on(messages.OpenConfigure)
    def _configure(self, message: messages.OpenConfigure) -> None:
        from tui.screens.configure import Configure

        self.push_screen(Configure(message.folder, message.settings))

    @on(messages.OpenRun)
    async def _watch(self, message: messages.OpenRun) -> None:
        from tui.screens.dashboard import Dashboard

        # What led to the start of a run is done with: leaving the dashboard goes past it.
        while getattr(self.screen, "PASSING", False):
            await self.pop_screen()
        self.push_screen(Dashboard(message.run))

    @on(messages.OpenReport)
    def _report(self, message: messages.OpenReport) -> None:
        from tui.screens.report import RunReport

        self.push_screen(RunReport(message.run))

    @on(messages.OpenClassify)
    def _classify(self, message: messages.OpenClassify) -> None:
        from tui.screens.classify import Classify

        self.push_screen(Classify(message.model))

    @on(messages.OpenRuns)
    def _runs(self) -> None:
        from tui.screens.runs import Runs

        self.push_screen(Runs())

    @on(messages.OpenDemo)
    def _demo(self) -> None:
        from tui.screens.demo import Demo

        self.push_screen(Demo())
