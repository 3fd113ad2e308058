"""Every key of every screen, once: bindings, footer, help, palette and README are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Command:
    """A key (or several, comma-separated), what it does, and how to say so."""

    keys: str
    action: str
    name: str
    help: str
    footer: bool = True

    @property
    def shown_keys(self) -> str:
        """The keys as people call them: `esc, backspace`."""
        return ", ".join(shown_key(key) for key in self.keys.split(","))


@dataclass(frozen=True)
class Section:
    """A screen: its name, what it is for, and its keys."""

    title: str
    about: str
    commands: tuple[Command, ...]


_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "f1": "F1",
    "f2": "F2",
    "f3": "F3",
    "f4": "F4",
    "f5": "F5",
}
_LEAVING = ("back", "leave", "app.quit")
_BACK = Command("escape,backspace", "back", "back", "Go back to the screen before.")
_DOWN = Command("j,down", "cursor_down", "down", "Go one line down.", footer=False)
_UP = Command("k,up", "cursor_up", "up", "Go one line up.", footer=False)
_FINDINGS = "List all that was found, file by file."

# Everywhere; `?` cannot be pressed while a text field has the focus, F1 can.
EVERYWHERE = (
    Command("question_mark,f1", "app.help", "help", "Explain this screen and what has the focus."),
    Command("ctrl+p", "app.command_palette", "palette", "Find any command by its name.", False),
    Command("ctrl+q", "app.quit", "quit", "Leave the program; training goes on.", False),
)

# What lists and trees add to their own keys.
LIST = (_DOWN, _UP)
PAGED_LIST = (
    *LIST,
    Command("pagedown", "page_down", "page down", "Go one page down.", False),
    Command("pageup", "page_up", "page up", "Go one page up.", False),
    Command("home,g", "first", "first", "Go to the first line.", False),
    Command("end,G", "last", "last", "Go to the last line.", False),
)
TREE = (
    _DOWN,
    _UP,
    Command("right,l", "open", "open", "Show what is in the folder.", False),
    Command("left,h", "close", "close", "Close the folder, or go to the one above.", False),
    Command("u", "up", "up", "Start the tree one folder higher.", False),
)

SECTIONS: dict[str, Section] = {
    "home": Section(
        "Home",
        "Choose what to do. A training that runs on this machine stands first.",
        (
            Command("1", "train", "train", "Choose a folder of class folders and train on it."),
            Command("2", "classify", "classify", "Classify pictures by URL, by file or by folder."),
            Command("3", "runs", "runs", "See all runs, living and past."),
            Command("4", "demo", "example", "Draw happy and sad faces and train on them."),
            Command("enter", "open", "open", "Open the marked line.", False),
            Command("q", "app.quit", "quit", "Leave the program; training goes on."),
        ),
    ),
    "browse": Section(
        "Choose the data",
        "Pick the folder that holds one folder per class. The right side says what it is.",
        (
            Command("enter", "choose", "open or train", "Train on this folder, or open it.", False),
            Command("t", "train", "train on it", "Go on with the marked folder."),
            Command("g", "suggested", "suggestion", "Go to the folder that is suggested."),
            Command("e", "examine", "examine", "Read the pictures of this folder and judge them."),
            Command("f3", "findings", "findings", _FINDINGS),
            Command("p", "path", "type a path", "Type or paste a path."),
            Command("u", "up", "up", "Start the tree one folder higher."),
            Command("escape,backspace", "back", "back", "Stop an examination, or go back."),
        ),
    ),
    "configure": Section(
        "Settings",
        "Split and epochs matter most; all the others have good defaults.",
        (
            Command("f5,ctrl+s", "start", "start", "Start the training."),
            Command("f2", "more", "more settings", "Show or hide the other settings."),
            Command("f3", "findings", "findings", _FINDINGS),
            Command("down", "next", "next field", "Go to the next field.", False),
            Command("up", "previous", "field before", "Go to the field before.", False),
            _BACK,
        ),
    ),
    "findings": Section(
        "Findings",
        "All that was found in a data folder, file by file. What is left out comes last.",
        (
            Command("n", "next", "next", "Go to the next finding."),
            Command("p", "previous", "previous", "Go to the finding before."),
            Command("j,down", "down", "down", "Go one line down.", False),
            Command("k,up", "up", "up", "Go one line up.", False),
            Command("pagedown,space", "page_down", "page down", "Go one page down.", False),
            Command("pageup", "page_up", "page up", "Go one page up.", False),
            Command("home", "first", "first line", "Go to the first line.", False),
            Command("end", "last", "last line", "Go to the last line.", False),
            Command("escape,backspace,f3", "back", "back", "Go back to the screen before."),
        ),
    ),
    "dashboard": Section(
        "Training",
        "Watch a run. It goes on when you leave, and when the line drops.",
        (
            Command("enter", "classify", "classify", "Classify with the finished model."),
            Command("p", "pause", "pause/go", "Pause the training, or let it go on."),
            Command("s", "stop", "stop", "Ask whether to stop now or after this epoch."),
            Command("R", "resume", "resume", "Go on with a run that was stopped or killed."),
            Command("d,q,escape,backspace", "leave", "leave", "Leave; the training goes on."),
            Command("c", "charts", "charts", "Show the charts large, one alone, or all again."),
            Command("l", "log_scale", "log", "Draw the loss on a logarithmic axis, or not."),
        ),
    ),
    "classify": Section(
        "Classify",
        "Type or paste a URL or the path of a picture, a folder, a pattern or a zip archive; press enter.",
        (
            Command("enter", "submit", "classify", "Classify what the field says.", False),
            Command("f2", "tree", "find a file", "Show or hide the tree of picture files."),
            Command("f3", "model", "change model", "Choose another model."),
            Command("f4", "save", "save answers", "Save the answers so far as a CSV table."),
            Command("escape", "back", "back", "Stop waiting for an answer; then go back."),
        ),
    ),
    "answers": Section(
        "Many pictures",
        "Every picture of a folder, a pattern or an archive, in a table that fills as answers come.",
        (
            Command("s", "sort", "sort", "Sort by place, by confidence, or by answer."),
            Command("f", "filter", "filter", "Look at all, the unsure, the failed, or one class."),
            Command(
                "slash", "find", "find", "Look only at names and answers that hold some words."
            ),
            Command("e,f4", "save", "save", "Save all answers as a CSV table."),
            Command("escape,backspace", "back", "back", "Stop; then go back."),
        ),
    ),
    "runs": Section(
        "Runs",
        "All runs, the living first, then the newest.",
        (
            Command("enter", "watch", "watch", "Open the run: live, or as it went.", False),
            Command("w", "watch", "watch", "Open the run: live, or as it went."),
            Command("m", "classify", "classify", "Classify with the run's model."),
            Command("t", "train", "train again", "Choose settings for its data anew."),
            Command("r", "refresh", "refresh", "Read the list anew."),
            _BACK,
        ),
    ),
    "demo": Section(
        "Built-in example",
        "Draws happy and sad faces into a folder, to try everything without any data of your own.",
        (
            Command("enter", "submit", "draw", "Draw the faces into this folder.", False),
            Command("escape", "back", "back", "Stop drawing, or go back."),
        ),
    ),
}


def shown_key(key: str) -> str:
    """Return a key as people call it."""
    return _NAMES.get(key, key)


def bindings(*commands: Command) -> list[BindingType]:
    """Return the bindings of `commands`."""
    return [
        Binding(command.keys, command.action, command.name, show=command.footer)
        for command in commands
    ]


def section_bindings(section: str) -> list[BindingType]:
    """Return the bindings of the screen named `section`."""
    return bindings(*SECTIONS[section].commands)


def footer(section: str, typing: bool = False) -> Iterator[tuple[Command, str]]:
    """Yield the commands for the foot of a screen and a key for each: help and the way out first.

    With `typing` a text field has the focus: keys that it would take as letters are left out.
    """
    commands = sorted(
        SECTIONS[section].commands, key=lambda command: command.action not in _LEAVING
    )
    for command in (EVERYWHERE[0], *commands):
        keys = [key for key in command.keys.split(",") if not (typing and _is_typed(key))]
        if command.footer and keys:
            yield command, shown_key(keys[0])


def _is_typed(key: str) -> bool:
    return len(key) == 1 or key in ("question_mark", "slash", "backspace")


def markdown_table() -> str:
    """Return all keys as a Markdown table, as the README shows it."""
    rows = ["| screen | key | does |", "|---|---|---|"]
    everywhere = Section("everywhere", "", EVERYWHERE)
    trees = Section("lists and trees", "", TREE)
    for section in (everywhere, trees, *SECTIONS.values()):
        for command in section.commands:
            keys = " ".join(f"`{shown_key(key)}`" for key in command.keys.split(","))
            rows.append(f"| {section.title} | {keys} | {command.help} |")
    return "\n".join(rows) + "\n"
