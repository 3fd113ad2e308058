"""The first screen: what runs now, what can be done, and the folders of last time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets.option_list import Option

from core.errors import UserError
from core.runs.folder import RunFolder, RunSummary
from core.text import count, duration, percent
from tui import messages
from tui.command import rebound, shown_key
from tui.commands import SECTIONS, section_bindings
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.device import DeviceLine
from tui.widgets.menu import Menu
from tui.widgets.problem import Problem
from tui.words import NAME_WIDTH, home_path, plain, recent_folders, tail

POLL_SECONDS = 5.0
RECENT_FOLDERS = 5


class Entry(NamedTuple):
    """A line of the menu: an id that stays the same while its words change, and what it opens."""

    id: str
    words: Content
    opens: Message


class Home(Page):
    """Choose an action; a living run is the first thing the eye meets."""

    SECTION = "home"
    BINDINGS = section_bindings("home")

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] = []
        self.entries: list[Entry] = []
        # What was on disk when the list of runs was read.
        self._traces: dict[str, int] = {}

    def body(self) -> Iterable[Widget]:
        title = Static("AlexNet in your terminal", id="title", markup=False)
        yield Horizontal(title, DeviceLine(markup=False), classes="top")
        yield Menu(id="menu", markup=False)
        yield Problem(markup=False)
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self._fill()
        self.query_one(CommandLine).show(["--help"])
        self.set_interval(POLL_SECONDS, self._poll)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.refresh_runs()

    def _poll(self) -> None:
        """Read the runs again while one lives; else only where there is news."""
        if self.is_active and any(run.alive for run in self.runs):
            self.refresh_runs()
        elif self.is_active:
            self._look_for_news()

    @work(exclusive=True, group="news")
    async def _look_for_news(self) -> None:
        """Read the runs again where one was begun, resumed or deleted elsewhere."""
        if await asyncio.to_thread(RunFolder.traces) != self._traces and self.is_active:
            self.refresh_runs()

    @work(exclusive=True)
    async def refresh_runs(self) -> None:
        """Read the list of runs and show what changed in it."""
        problem = None
        try:
            # Taken before reading: what is written meanwhile must be seen the next time.
            self._traces = await asyncio.to_thread(RunFolder.traces)
            self.runs = await self.engine.runs()
        except UserError as error:
            problem = error
        # The screen may have been torn down meanwhile.
        if not self.query(Problem) or not self.query(Menu):
            return
        self.query_one(Problem).show(problem)
        self.alexnet.endings.meet(RunFolder(Path(run.run)) for run in self.runs if run.alive)
        self._fill()

    def _fill(self) -> None:
        """Put the entries into the menu, touching only lines that differ."""
        before, self.entries = self.entries, menu_entries(self.runs, self.alexnet.keymap)
        if before == self.entries:
            return
        menu = self.query_one(Menu)
        if [entry.id for entry in before] == [entry.id for entry in self.entries]:
            for old, entry in zip(before, self.entries, strict=True):
                if old.words != entry.words:
                    menu.replace_option_prompt(entry.id, entry.words)
            return
        marked = menu.highlighted_option
        menu.set_options(_with_gaps(self.entries))
        ids = [option.id for option in menu.options]
        known = {entry.id for entry in before}
        # A run that has come to life goes before whatever was marked.
        news = any(entry.id.startswith("run ") and entry.id not in known for entry in self.entries)
        keep = marked is not None and marked.id in ids and not news
        menu.highlighted = ids.index(marked.id) if keep and marked else 0

    @on(Menu.OptionSelected)
    def _selected(self, event: Menu.OptionSelected) -> None:
        self._open(event.option.id)

    def _open(self, wanted: str | None) -> None:
        for entry in self.entries:
            if entry.id == wanted:
                self.post_message(entry.opens)

    def action_train(self) -> None:
        self._open("train")

    def action_classify(self) -> None:
        self._open("classify")

    def action_runs(self) -> None:
        self._open("runs")

    def action_demo(self) -> None:
        self._open("demo")

    def action_settings(self) -> None:
        self._open("settings")

    def action_open(self) -> None:
        """Open the marked line; `enter` in the menu does so by itself."""
        self.query_one(Menu).action_select()


ACTIONS = (
    ("train", "Train a model", "on a folder of class folders"),
    ("classify", "Classify pictures", "by URL, by file, or a whole folder"),
    ("runs", "Results and past runs", ""),
    ("demo", "Try the built-in example", "drawn happy and sad faces, a few minutes"),
    ("settings", "Settings", "colours, keys, and who is told when a run ends"),
)


def menu_entries(
    runs: Sequence[RunSummary], keymap: Mapping[str, str] | None = None
) -> list[Entry]:
    """Return the lines of the menu: living runs, actions, recent folders."""
    living = [
        Entry(f"run {run.run}", living_words(run), messages.OpenRun(RunFolder(Path(run.run))))
        for run in runs
        if run.alive
    ]
    recent = [
        Entry(
            f"folder {folder}",
            Content.assemble(("   recent  ", "dim"), tail(home_path(folder), 60)),
            messages.OpenConfigure(Path(folder)),
        )
        for folder in recent_folders(runs, RECENT_FOLDERS)
    ]
    return [*living, *_actions(runs, keymap or {}), *recent]


def _actions(runs: Sequence[RunSummary], keymap: Mapping[str, str]) -> list[Entry]:
    models = [Path(run.model) for run in runs if run.model]
    opens: dict[str, Message] = {
        "train": messages.OpenBrowse(),
        "classify": messages.OpenClassify(models[0] if models else None),
        "runs": messages.OpenRuns(),
        "demo": messages.OpenDemo(),
        "settings": messages.OpenSettings(),
    }
    commands = rebound(SECTIONS["home"].commands, keymap)
    keys = {command.action: shown_key(command.keys.split(",")[0]) for command in commands}
    entries = []
    for name, title, about in ACTIONS:
        about = past_words(runs) if name == "runs" else about
        words = Content.assemble(
            (f"   {keys[name]}  ", "bold $text-accent"), f"{title:<26}", (about, "dim")
        )
        entries.append(Entry(name, words, opens[name]))
    return entries


def past_words(runs: Sequence[RunSummary]) -> str:
    """Return how many runs there are and the best test accuracy among them."""
    if not runs:
        return "none yet"
    tests = [run.test for run in runs if run.test]
    if not tests:
        return count(len(runs), "run")
    best = max(tests, key=lambda test: test.accuracy)
    half = (best.high - best.low) / 2 * 100
    return f"{count(len(runs), 'run')}, best {percent(best.accuracy)} ± {half:.1f}"


def living_words(run: RunSummary) -> Content:
    """Return the line of a living run: which, how far, how good, how long still."""
    parts = [f"epoch {run.epoch}/{run.epochs}" if run.epoch else run.state]
    if run.best_validation is not None:
        parts.append(f"best {percent(run.best_validation)}")
    if run.state == "paused":
        parts.append("paused")
    elif run.seconds_left is not None:
        parts.append(f"{duration(run.seconds_left)} left")
    return Content.assemble(
        (" ● running now  ", "bold"),
        plain(Path(run.data).name, "bold", NAME_WIDTH),
        ("   enter: watch", "bold"),
        "\n   " + "  ".join(parts),
        ("  goes on without this window", "dim"),
    )


def _with_gaps(entries: Sequence[Entry]) -> list[Option | None]:
    """Return the menu's options, with a line between its three parts."""
    options: list[Option | None] = []
    kind = ""
    for entry in entries:
        part = entry.id.split(" ")[0] if " " in entry.id else ""
        if options and part != kind:
            options.append(None)
        kind = part
        options.append(Option(entry.words, id=entry.id))
    return options
