"""The runs as a table: its columns, which runs are in it and in which order, which are marked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.config import meta, shown
from core.runs.folder import RunSummary
from core.runs.snapshot import State
from core.text import duration, percent, safe_text
from tui.report import STATES
from tui.widgets.rows import Part
from tui.words import column

# So many curves and columns can still be told apart.
MOST_MARKED = 8
GAP = 2
MARK_WIDTH = 3


class Column(NamedTuple):
    """A column: its title, what it is sorted by, what stands in it; `width` 0 takes what is left."""

    title: str
    width: int
    right: bool
    value: Callable[[RunSummary], Any]
    cell: Callable[[RunSummary], str]


def data_name(run: RunSummary) -> str:
    """Return the name of the data folder."""
    return safe_text(Path(run.data).name)


def settings_words(run: RunSummary) -> str:
    """Return the settings that differ from the defaults, in a few words."""
    words = (f"{str(meta(name).title).lower()} {shown(v)}" for name, v in run.settings.items())
    return safe_text(", ".join(words))


def test_words(run: RunSummary) -> str:
    """Return the test accuracy with half its interval."""
    if run.test is None:
        return ""
    return f"{percent(run.test.accuracy)} ± {(run.test.high - run.test.low) / 2 * 100:.1f}"


def time_words(run: RunSummary) -> str:
    """Return how long a run took, or what is left of a living one."""
    if run.seconds_left is not None:
        return f"{duration(run.seconds_left)} left"
    return "" if run.seconds is None else duration(run.seconds)


def state_words(run: RunSummary) -> str:
    """Return the state, with a sign for the living."""
    return ("● " if run.alive else "") + STATES[run.state]


def _started(form: str) -> Callable[[RunSummary], str]:
    return lambda run: time.strftime(form, time.localtime(run.created))


def _accuracy(run: RunSummary) -> float | None:
    return run.test.accuracy if run.test else None


def _test(run: RunSummary) -> str:
    return percent(run.test.accuracy) if run.test else ""


def _validation(run: RunSummary) -> str:
    return "" if run.best_validation is None else percent(run.best_validation)


def _epoch(run: RunSummary) -> str:
    return f"{run.epoch}/{run.epochs}"


_DATA = Column("data", 0, False, lambda run: data_name(run).lower(), data_name)
_STATE = Column("state", 13, False, state_words, state_words)
_EPOCH = Column("epoch", 7, True, lambda run: run.epoch, _epoch)
_VALIDATION = Column("validation", 12, True, lambda run: run.best_validation, _validation)
_SHORT_TEST = Column("test", 7, True, _accuracy, _test)
_TEST = Column("test", 13, True, _accuracy, test_words)
_TIME = Column("time", 13, True, lambda run: run.seconds, time_words)
_SHORT_START = Column("started", 11, False, lambda run: run.created, _started("%m-%d %H:%M"))
_START = Column("started", 16, False, lambda run: run.created, _started("%Y-%m-%d %H:%M"))
_SETTINGS = Column("settings", 0, False, settings_words, settings_words)

# The columns in tables at least so wide; all orders can be had in each.
_LAYOUTS = (
    (112, (_DATA, _STATE, _EPOCH, _VALIDATION, _TEST, _TIME, _START, _SETTINGS)),
    (75, (_DATA, _STATE, _EPOCH, _VALIDATION, _SHORT_TEST, _SHORT_START)),
    (0, (_DATA, _STATE, _EPOCH, _SHORT_TEST)),
)
ORDERS = (_START, _DATA, _STATE, _EPOCH, _VALIDATION, _TEST, _TIME)
# What is more, or newer, comes first; words begin with a.
_ASCENDING = {"data", "state"}
DATA_WIDTH = 24


def layout(width: int) -> list[tuple[Column, int]]:
    """Return the columns for a table `width` cells wide, each with its own width."""
    columns = next(columns for least, columns in _LAYOUTS if width >= least)
    left = width - MARK_WIDTH - sum(c.width for c in columns) - GAP * (len(columns) - 1)
    if columns[-1] is _SETTINGS:
        data = min(DATA_WIDTH, left // 2)
        return [(c, {_DATA: data, _SETTINGS: left - data}.get(c, c.width)) for c in columns]
    return [(c, c.width or max(left, 4)) for c in columns]


class RunTable:
    """All runs by numbers that they keep, and which of them are shown in which order."""

    def __init__(self) -> None:
        self.runs: dict[int, RunSummary] = {}
        self.shown: list[int] = []
        self.marked: list[int] = []
        self.order = 0
        self.reverse = False
        # The runs in which the pattern was found; without one, all.
        self.found: Collection[int] | None = None
        self._numbers: dict[str, int] = {}

    def put(self, runs: Iterable[RunSummary]) -> set[int]:
        """Take in what the runs are now, and return the numbers of those that changed."""
        before = self.runs
        self.runs = {self._numbers.setdefault(r.run, len(self._numbers)): r for r in runs}
        self.marked = [number for number in self.marked if number in self.runs]
        self.arrange()
        return {number for number, run in self.runs.items() if before.get(number) != run}

    def arrange(self) -> None:
        """Sort what is found: the living first, then by the chosen column, the empty last."""
        by = ORDERS[self.order]
        downwards = (by.title in _ASCENDING) == self.reverse
        value = {number: by.value(run) for number, run in self.runs.items()}
        found = [n for n in self.runs if self.found is None or n in self.found]
        known = sorted((n for n in found if value[n] is not None), key=value.__getitem__)
        if downwards:
            known.reverse()
        # The sort is stable: within the living and the others the order stays.
        ordered = known + [number for number in found if value[number] is None]
        self.shown = sorted(ordered, key=lambda number: not self.runs[number].alive)

    def next_order(self) -> None:
        """Sort by the next column, its usual way round."""
        self.order, self.reverse = (self.order + 1) % len(ORDERS), False
        self.arrange()

    def turn(self) -> None:
        """Turn the order round."""
        self.reverse = not self.reverse
        self.arrange()

    def mark(self, number: int) -> bool:
        """Mark a run, or take its mark away; False if there are too many marks already."""
        if number in self.marked:
            self.marked.remove(number)
        elif len(self.marked) < MOST_MARKED:
            self.marked.append(number)
        else:
            return False
        return True

    def texts(self) -> dict[int, str]:
        """Return what a pattern is searched in, for each run."""
        return {
            number: "  ".join(
                (run.name, safe_text(run.data), STATES[run.state], settings_words(run))
            )
            for number, run in self.runs.items()
        }

    def header(self, width: int) -> str:
        """Return the titles of the columns; an arrow marks the one that is sorted by."""
        by = ORDERS[self.order].title
        arrow = "↑" if (by in _ASCENDING) != self.reverse else "↓"
        cells = (
            _cell(c, f"{c.title} {arrow}" if c.title == by else c.title, room)
            for c, room in layout(width)
        )
        return " " * MARK_WIDTH + (" " * GAP).join(cells)

    def row(self, number: int, width: int) -> Sequence[tuple[str, Part]]:
        """Return the line of a run."""
        run = self.runs[number]
        marked = number in self.marked
        mark = f"{self.marked.index(number) + 1:>2} " if marked else " " * MARK_WIDTH
        cells: list[tuple[str, Part]] = [(mark, "plain")]
        for c, room in layout(width):
            cells += [(_cell(c, c.cell(run), room), _part(c, run.state)), (" " * GAP, "plain")]
        return cells[:-1]

    @property
    def order_words(self) -> str:
        """How the table is sorted."""
        by = ORDERS[self.order].title
        turned = ", turned round" if self.reverse else ""
        return f"the living first, by {by}{turned}"


def _part(c: Column, state: State) -> Part:
    if c is _STATE and state in ("failed", "interrupted"):
        return "error"
    return "faint" if c in (_SETTINGS, _START, _SHORT_START) else "plain"


def _cell(c: Column, text: str, room: int) -> str:
    text = column(text, room)
    return text.rstrip().rjust(room) if c.right else text
