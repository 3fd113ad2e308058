"""Every key of every screen, once: bindings, footer, help, palette and README are made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from textual.binding import BindingType

from tui.command import Command, Section, bindings, is_typed, rebound, shown_key

_LEAVING = ("back", "leave", "app.quit")
_BACK = Command("escape,backspace", "back", "back", "Go back to the screen before.")
_DOWN = Command("j,down", "cursor_down", "down", "Go one line down.", False, "list.down")
_UP = Command("k,up", "cursor_up", "up", "Go one line up.", False, "list.up")
_LEAVE_OUT = "Leave out the classes with too few pictures to train on."
_FINDINGS = "List all that was found, file by file."

QUIT = Command(
    "ctrl+q", "app.quit", "quit", "Leave the program; training goes on.", False, "app.quit"
)

# `?` cannot be pressed while a text field has the focus, F1 can.
HELP = Command(
    "question_mark,f1",
    "app.help",
    "help",
    "Explain this screen and what has the focus.",
    id="app.help",
)

EVERYWHERE = (
    HELP,
    Command(
        "ctrl+p",
        "app.command_palette",
        "palette",
        "Find any command by its name.",
        False,
        "app.palette",
    ),
    Command(
        "y,ctrl+y", "app.copy", "copy", "Copy the command line at the foot.", False, "app.copy"
    ),
    Command(
        "ctrl+l",
        "app.redraw",
        "redraw",
        "Paint the screen anew, should another program have written over it.",
        False,
        "app.redraw",
    ),
    Command(
        "ctrl+z",
        "app.suspend_process",
        "put aside",
        "Give the terminal back to the shell for a while; fg there leads back here.",
        False,
        "app.suspend",
    ),
    QUIT,
)

# What lists and trees add to their own keys.
LIST = (_DOWN, _UP)
PAGED_LIST = (
    *LIST,
    Command("pagedown", "page_down", "page down", "Go one page down.", False, "list.page_down"),
    Command("pageup", "page_up", "page up", "Go one page up.", False, "list.page_up"),
    Command("home,g", "first", "first", "Go to the first line.", False, "list.first"),
    Command("end,G", "last", "last", "Go to the last line.", False, "list.last"),
)
LOG = (
    Command("j", "scroll_down", "down", "Scroll the log one line down.", False, "log.down"),
    Command("k", "scroll_up", "up", "Scroll the log one line up.", False, "log.up"),
    Command("g", "scroll_home", "first", "Go to the first line of the log.", False, "log.first"),
    Command("G", "scroll_end", "last", "Go to the last line of the log.", False, "log.last"),
)
TREE = (
    _DOWN,
    _UP,
    Command("right,l", "open", "open", "Show what is in the folder.", False, "tree.open"),
    Command(
        "left,h", "close", "close", "Close the folder, or go to the one above.", False, "tree.close"
    ),
    Command("u", "up", "up", "Start the tree one folder higher.", False, "tree.up"),
)

# What a grid adds: a cursor that goes both ways.
GRID = (
    Command("j,down", "move(1, 0)", "down", "Go one row down.", False, "grid.down"),
    Command("k,up", "move(-1, 0)", "up", "Go one row up.", False, "grid.up"),
    Command("l,right", "move(0, 1)", "right", "Go one column right.", False, "grid.right"),
    Command("h,left", "move(0, -1)", "left", "Go one column left.", False, "grid.left"),
    Command("pagedown", "page(1)", "page down", "Go one page down.", False, "grid.page_down"),
    Command("pageup", "page(-1)", "page up", "Go one page up.", False, "grid.page_up"),
    Command("home,g", "first", "first", "Go to the first cell.", False, "grid.first"),
    Command("end,G", "last", "last", "Go to the last cell.", False, "grid.last"),
)

# What charts of a run add to the keys of their screen.
CHART_KEYS = (
    Command("left", "crosshair_left", "read", "Read the values at the point before."),
    Command("right", "crosshair_right", "read on", "Read the values at the next point.", False),
    Command("shift+left", "jump_left", "jump left", "Go 10 columns left.", False),
    Command("shift+right", "jump_right", "jump right", "Go 10 columns right.", False),
    Command("plus,equals_sign,right_square_bracket", "zoom_in", "zoom", "Look closer."),
    Command("minus,left_square_bracket", "zoom_out", "zoom out", "Look at more.", False),
    Command("0", "whole", "whole run", "Show the whole run again, no values.", False),
    Command("x", "x_axis", "x axis", "Draw by epoch, step, or time without pauses."),
    Command("w", "smooth", "smooth", "Smooth the curves as usual, more, or not at all."),
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
            Command("5", "settings", "settings", "See and change the settings and the keys."),
            Command("enter", "open", "open", "Open the marked line.", False),
            Command("q", "app.quit", "quit", "Leave the program; training goes on."),
        ),
        LIST,
    ),
    "browse": Section(
        "Choose the data",
        "Pick the folder that holds one folder per class. The right side says what it is.",
        (
            Command("enter", "choose", "open or train", "Train on this folder, or open it.", False),
            Command("t", "train", "train on it", "Go on with the marked folder."),
            Command("g", "suggested", "suggestion", "Go to the folder that is suggested."),
            Command("e", "examine", "examine", "Read the pictures of this folder and judge them."),
            Command("x", "leave_out", "leave out", _LEAVE_OUT),
            Command("f3", "findings", "findings", _FINDINGS),
            Command("p", "path", "type a path", "Type or paste a path."),
            Command("r", "recent", "recent", "Choose among the folders of past runs."),
            Command("u", "up", "up", "Start the tree one folder higher."),
            Command("escape,backspace", "back", "back", "Stop an examination, or go back."),
        ),
        TREE,
    ),
    "configure": Section(
        "Settings",
        "Split and epochs matter most; all the others have good defaults.",
        (
            Command("f5,ctrl+s", "start", "start", "Start the training."),
            Command("f2", "more", "more settings", "Show or hide the other settings."),
            Command("f3", "findings", "findings", _FINDINGS),
            Command("f4", "leave_out", "leave out", _LEAVE_OUT),
            Command("f6", "load", "load", "Take the settings of a preset or of a past run."),
            Command("f7", "save", "save", "Save the settings as a preset, under a name."),
            Command("f8", "reset", "reset", "Give this field its default."),
            Command("f9", "reset_all", "reset all", "Give all fields their defaults."),
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
            Command("r", "report", "report", "See what the test came to, mistake by mistake."),
            Command("p", "pause", "pause/go", "Pause the training, or let it go on."),
            Command("s", "stop", "stop", "Ask whether to stop now or after this epoch."),
            Command("R", "resume", "resume", "Go on with a run that was stopped or killed."),
            Command("d,q,escape,backspace", "leave", "leave", "Leave; the training goes on."),
            Command("c", "charts", "charts", "Show the charts large, one alone, or all again."),
            Command("l", "log_scale", "log", "Draw the loss on a logarithmic axis, or not."),
            *CHART_KEYS,
            Command(
                "v", "log_level", "warnings", "Show all of the log, its warnings, or its errors."
            ),
            Command("i", "pictures", "pictures", "Show or hide the probe pictures."),
            Command("m", "meters", "all GPUs", "Show or hide a line for every GPU."),
            Command("pagedown", "log_page_down", "page down", "Scroll the log down.", False),
            Command("pageup", "log_page_up", "page up", "Scroll the log up.", False),
        ),
        LOG,
    ),
    "report": Section(
        "Report",
        "What a run came to: how well its model does on the test part, class by class, and its mistakes.",
        (
            Command("tab", "next_part", "next part", "Go on to the next of the four parts."),
            Command("shift+tab", "part_before", "part before", "Go to the part before.", False),
            Command("1", "summary", "summary", "Show the summary.", False),
            Command("2", "matrix", "matrix", "Show which classes are confused.", False),
            Command("3", "classes", "classes", "Show precision and recall.", False),
            Command("4", "mistakes", "mistakes", "Show the worst mistakes.", False),
            Command(
                "enter", "open", "open", "Show the pictures of a cell or of a class, or one large."
            ),
            Command("p", "pairs", "pairs/matrix", "Show the pairs confused most, or the matrix."),
            Command("s", "sort", "sort", "Sort the classes another way."),
            Command("percent_sign", "shares", "counts/shares", "Show shares, or counts."),
            Command("u", "unsure", "wrong/unsure", "Show what was right but least sure, or wrong."),
            Command("a", "all", "all", "Show the mistakes of all classes again."),
            Command("c", "copy", "copy path", "Copy the path of the marked picture."),
            Command(
                "m",
                "classify",
                "classify",
                "Classify with the run's model, a marked mistake first.",
            ),
            Command("j,down", "down", "down", "Go one line down.", False),
            Command("k,up", "up", "up", "Go one line up.", False),
            _BACK,
        ),
        GRID,
    ),
    "classify": Section(
        "Classify",
        "Type or paste a URL or the path of a picture, a folder, a pattern or a zip archive; press enter.",
        (
            Command("enter", "submit", "classify", "Classify what the field says.", False),
            Command("f2", "tree", "find a file", "Show or hide the tree of picture files."),
            Command("f3", "model", "model", "Choose another model."),
            Command("f4", "save", "save", "Save the answers so far as a CSV table."),
            Command("f5", "heat", "heat map", "Show what answers come from, or no longer."),
            Command("ctrl+down,pagedown", "older", "older", "Scroll to older answers.", False),
            Command("ctrl+up,pageup", "newer", "newer", "Scroll to newer answers.", False),
            Command("escape,backspace", "back", "back", "Stop waiting for an answer; go back."),
        ),
        TREE,
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
        PAGED_LIST,
    ),
    "runs": Section(
        "Runs",
        "All runs, the living first. Mark several to lay them over one another or compare them.",
        (
            Command(
                "enter", "watch", "watch", "Open the run: live, or as it went.", False, "runs.open"
            ),
            Command("w", "watch", "watch", "Open the run: live, or as it went."),
            Command("r", "report", "report", "See what came out of the run."),
            Command("R", "resume", "resume", "Go on with a run that was stopped or killed."),
            Command("space", "mark", "mark", "Mark the run, or take the mark away."),
            Command("d", "compare", "compare", "Compare the marked: settings, results, chance."),
            Command("o", "overlay", "overlay", "Lay the curves of the marked over one another."),
            Command("slash", "find", "find", "Look only at runs in which a pattern is found."),
            Command("x,delete", "delete", "delete", "Delete the marked, or this one; it asks."),
            Command("s", "sort", "sort", "Sort by the next column."),
            Command("t", "train", "train again", "Train on its data, its settings as a start."),
            Command("m", "classify", "classify", "Classify with the run's model."),
            Command("S", "reverse", "reverse", "Turn the order round.", False),
            Command("u", "unmark", "unmark all", "Take all marks away.", False),
            Command("f5", "refresh", "refresh", "Read the list anew.", False),
            Command("escape,backspace", "back", "back", "Close the search; then go back."),
        ),
    ),
    "overlay": Section(
        "Curves",
        "The validation curves of several runs over one another, each with its number.",
        (
            Command("c", "charts", "charts", "Show both charts, or one alone."),
            Command("t", "axis", "epochs/time", "Draw over epochs, or over the time trained."),
            Command("l", "log_scale", "log", "Draw the loss on a logarithmic axis, or not."),
            Command("d", "compare", "compare", "Compare these runs: settings, results, chance."),
            _BACK,
        ),
    ),
    "compare": Section(
        "Comparison",
        "What differs in the settings of runs, and whether their results differ by more than chance.",
        (
            Command("right,l", "later", "next runs", "Show the columns further right."),
            Command("left,h", "earlier", "runs before", "Show the columns further left.", False),
            Command("j,down", "down", "down", "Go down."),
            Command("k,up", "up", "up", "Go up.", False),
            Command("o", "overlay", "overlay", "Lay the curves of these runs over one another."),
            _BACK,
        ),
        LIST,
    ),
    "settings": Section(
        "Settings of the program",
        "What you choose once and for all. All of it is kept at once.",
        (
            Command("f2", "keys", "keys", "See all keys, and give other ones to commands."),
            Command("down", "next", "next field", "Go to the next field.", False),
            Command("up", "previous", "field before", "Go to the field before.", False),
            _BACK,
        ),
    ),
    "keys": Section(
        "Keys",
        "All commands and their keys. Another key counts at once.",
        (
            Command("enter", "change", "other key", "Press another key for the marked command."),
            Command("delete,u", "usual", "usual key", "Give the marked command its own keys back."),
            Command("escape,backspace", "back", "back", "Go back to the settings."),
        ),
        LIST,
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


def _with_ids(sections: dict[str, Section]) -> dict[str, Section]:
    """Return `sections` with an id for each command that has none of its own."""
    return {
        name: replace(
            section,
            commands=tuple(
                replace(command, id=command.id or f"{name}.{command.action.removeprefix('app.')}")
                for command in section.commands
            ),
        )
        for name, section in sections.items()
    }


SECTIONS.update(_with_ids(SECTIONS))
_KEYS = {
    command.id: command.keys
    for commands in (EVERYWHERE, *(section.commands for section in SECTIONS.values()))
    for command in commands
}


def section_bindings(section: str) -> list[BindingType]:
    """Return the bindings of the screen named `section`."""
    return bindings(*SECTIONS[section].commands)


def key_of(command: str, keymap: Mapping[str, str] | None = None) -> str:
    """Return the first key of the command with that id, as people call it."""
    keys = (keymap or {}).get(command) or _KEYS[command]
    return shown_key(keys.split(",")[0])


def footer(
    section: str, typing: bool = False, keymap: Mapping[str, str] | None = None
) -> Iterator[tuple[Command, str]]:
    """Yield the commands for the foot of a screen and a key for each: help and the way out first.

    With `typing` a text field has the focus: keys that it would take as letters are left out.
    """
    commands = sorted(
        SECTIONS[section].commands, key=lambda command: command.action not in _LEAVING
    )
    for command in rebound((HELP, *commands), keymap or {}):
        keys = [key for key in command.keys.split(",") if not (typing and is_typed(key))]
        if command.footer and keys:
            yield command, shown_key(keys[0])


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
