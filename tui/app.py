"""The app: it holds the engine and opens screens; all else lives in the screens themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.theme import Theme

from core.engine import Engine
from core.errors import UserError
from core.runs.folder import RunFolder
from core.settings import Settings
from core.text import safe_text
from tui import messages
from tui.command import bindings, rebound, shown_key
from tui.commands import EVERYWHERE, SECTIONS, key_of
from tui.endings import Endings
from tui.keymap import check_settings, keymap
from tui.look import theme_for
from tui.words import home_path

if TYPE_CHECKING:
    from textual.filter import LineFilter


ENDINGS_SECONDS = 5.0
# The first frame is out by then, and nobody has pressed a key.
STYLES_SECONDS = 0.25
# So many faults of the settings are told at the start.
MOST_PROBLEMS = 4


class AlexNetApp(App[None]):
    """Train, watch and classify. Each screen is imported when it is first opened."""

    TITLE = "AlexNet in your terminal"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    OTHER_CSS: ClassVar[Path] = CSS_PATH.with_name("screens.tcss")
    BINDINGS = bindings(*EVERYWHERE)

    def __init__(
        self,
        engine: Engine,
        at: Path | None = None,
        ascii_only: bool = False,
        settings: Settings | None = None,
        problems: Sequence[UserError] = (),
    ) -> None:
        """Make the app with what `settings` say, which `ascii_only` overrules; `problems` are told."""
        super().__init__()
        self.engine = engine
        self.at = at
        self.animation_level = "none"
        self.endings = Endings(engine)
        self.keymap: dict[str, str] = {}
        self.ascii_only = self._always_ascii = ascii_only
        self._safety: list[LineFilter] | None = None
        self._own_theme: Theme | None = None
        self.settings = settings or Settings()
        self.use(self.settings)
        self._problems = [*problems, *check_settings(self.settings)]

    def use(self, settings: Settings) -> None:
        """Do from now on what `settings` say."""
        self.settings = settings
        theme = theme_for(settings)
        if theme != self._own_theme:
            # Else one that was chosen in the palette stays.
            self._own_theme = theme
            self.register_theme(theme)
            self.theme = theme.name
        self.keymap, _ = keymap(settings.keys)
        self.set_keymap(self.keymap)
        self.ascii_only, self._safety = settings.ascii or self._always_ascii, None
        for screen in self.screen_stack if self.is_running else ():
            screen.set_class(self.ascii_only, "-ascii")
            screen.refresh(layout=True)

    def key(self, command: str) -> str:
        """Return the key that the command of this id has now, as people call it."""
        return key_of(command, self.keymap)

    def on_mount(self) -> None:
        if self._problems:
            told = self._problems[:MOST_PROBLEMS]
            said = [safe_text(f"{error.title} {error.hint}", 300) for error in told]
            if len(self._problems) > len(told):
                said.append("There is more: run_tui.py settings lists it.")
            self.notify(
                "\n".join(said), title="Settings", severity="warning", timeout=20, markup=False
            )
        self.set_interval(ENDINGS_SECONDS, self.look_for_endings)
        self.set_timer(STYLES_SECONDS, self.read_styles)

    def read_styles(self) -> None:
        """Read the style sheet of all screens but the first, if that is not done yet."""
        if not self.stylesheet.has_source(str(self.OTHER_CSS), ""):
            self.stylesheet.read(self.OTHER_CSS)
            self.stylesheet.parse()

    def push_screen(self, *args: Any, **options: Any) -> Any:
        """Open a screen as Textual does; what it looks like is known by then."""
        self.read_styles()
        return super().push_screen(*args, **options)

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
        commands = (*(section.commands if section else ()), *EVERYWHERE)
        named: set[str] = set()
        for command in rebound(commands, self.keymap):
            # Some have a second key that is a command of its own.
            if command.action not in (*named, "app.command_palette") and screen.check_action(
                command.action, ()
            ):
                named.add(command.action)
                title = f"{command.name[0].upper()}{command.name[1:]} ({command.shown_keys})"
                run = partial(screen.run_action, command.action)
                yield SystemCommand(title, command.help, run)
        if not any(command.action == "settings" for command in commands):
            yield SystemCommand("Settings", "See and change settings and keys.", self.open_settings)
        about_themes = "Try other colours; the settings keep those that you choose there."
        yield SystemCommand("Theme", about_themes, self.action_change_theme)

    def action_help(self) -> None:
        """Explain the screen or the dialog that is shown."""
        from tui.screens.dialog import Dialog
        from tui.screens.help import Help

        screen = self.screen
        if isinstance(screen, Dialog):
            self.push_screen(Help(screen.explained, self.focused, self.keymap, in_dialog=True))
        else:
            section = SECTIONS[getattr(screen, "SECTION", "home")]
            self.push_screen(Help(section, self.focused, self.keymap))

    def action_redraw(self) -> None:
        """Paint the screen anew: another program may have written over it."""
        from tui.driver import SafeDriver

        if isinstance(self._driver, SafeDriver):
            self._driver.redraw()

    def action_suspend_process(self) -> None:
        """Stop and give the terminal to the shell, if there is one that could bring us back."""
        from tui.launcher import has_shell

        if has_shell():
            super().action_suspend_process()
        else:
            self.notify(f"No shell waits behind this program. {self.ways_out()}", markup=False)

    def action_copy(self) -> None:
        """Copy the command line at the foot of the screen."""
        from tui.widgets.command_line import CommandLine

        for shown in self.screen.query(CommandLine):
            self.copy(shown.line, shown.without_secrets)
            return
        self.notify("This screen has no command line.", markup=False)

    @work(exclusive=True, group="copy")
    async def copy(self, text: str, logged: str) -> None:
        """Put `text` into the clipboard, and what of it may be `logged` into the log."""
        from tui.notice import clipboard, tmux_clipboard
        from tui.terminal import screen_log, write_log

        write_log(f"copied: {logged}")
        if await tmux_clipboard(text):
            said = "copied"
        else:
            # No terminal says whether it obeys.
            self.to_terminal(clipboard(text))
            said = f"copied; if not, it is in {home_path(screen_log())}"
        self.notify(said, markup=False, timeout=3)

    def to_terminal(self, sequence: str) -> None:
        """Have the terminal do something that is not part of the screen."""
        from tui.driver import SafeDriver

        if isinstance(self._driver, SafeDriver):
            self._driver.send(sequence)

    @work(exclusive=True, group="endings")
    async def look_for_endings(self) -> None:
        """Tell of the runs that have ended, by the terminal and on whatever screen is open."""
        from tui.notice import notice, run_over

        async for run in self.endings.new():
            words = run_over(run)
            self.to_terminal(notice(words, self.settings))
            watched = getattr(self.screen, "run", None)
            if not (isinstance(watched, RunFolder) and str(watched.path) == run.run):
                self.notify(words, title="Over", markup=False)

    def action_help_quit(self) -> None:
        """Answer Ctrl+C, which people press to end a program."""
        self.notify(f"{self.ways_out()} Training goes on.", markup=False)

    def ways_out(self) -> str:
        """Return which keys leave the program: some terminals keep Ctrl+Q for themselves."""
        leaves = (
            f"{self.key('home.quit')} leaves the program, as {self.key('app.quit')} does anywhere."
        )
        section = getattr(self.screen, "SECTION", "")
        if section == "home":
            return leaves
        commands = SECTIONS[section].commands if section else ()
        ways = [c for c in rebound(commands, self.keymap) if c.action in ("back", "leave")]
        keys = ways[0].keys.split(",") if ways else ["escape"]
        back = shown_key("escape" if "escape" in keys else keys[0])
        return f"{back} leads to the first screen; there {leaves}"

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

        self.push_screen(Classify(message.model, message.picture))

    @on(messages.OpenSettings)
    def open_settings(self) -> None:
        """Show the settings, unless they are shown."""
        from tui.screens.settings import SettingsPage

        if not isinstance(self.screen, SettingsPage):
            self.push_screen(SettingsPage())

    @on(messages.OpenRuns)
    def _runs(self) -> None:
        from tui.screens.runs import Runs

        self.push_screen(Runs())

    @on(messages.OpenDemo)
    def _demo(self) -> None:
        from tui.screens.demo import Demo

        self.push_screen(Demo())
