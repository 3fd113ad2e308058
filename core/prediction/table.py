"""Answers as a CSV table: a row a source, a column a class."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from core.errors import UserError
from core.files import expanded, write_atomically
from core.prediction.classifier import Answer
from core.prediction.sources import Refusal
from core.text import safe_text

COLUMNS = ("source", "label", "confidence", "sure", "error")
_HEADER = ",".join(COLUMNS)
# What a spreadsheet would take for a formula, and run.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AnswerTable:
    """Writes rows to a text stream; an earlier table in it is replaced when the first row comes."""

    def __init__(self, file: TextIO, classes: Sequence[str]) -> None:
        self._classes = classes
        self._file = file
        self._rows = csv.writer(file)
        self._earlier = file.seekable() and file.tell() > 0
        if not self._earlier:
            self._write_header()

    def _write_header(self) -> None:
        self._rows.writerow([*COLUMNS, *map(_cell, self._classes)])

    def add(self, outcome: Answer | Refusal) -> None:
        """Write one row; of a refusal the error's title."""
        if self._earlier:
            self._file.truncate(0)
            self._earlier = False
            self._write_header()
        if isinstance(outcome, Refusal):
            error = _cell(outcome.error.title)
            unknown = [""] * len(self._classes)
            self._rows.writerow([_cell(outcome.source), "", "", "", error, *unknown])
            return
        chances = [f"{outcome.probabilities[name]:.6f}" for name in self._classes]
        named = [_cell(outcome.source), _cell(outcome.label)]
        confidence = f"{outcome.confidence:.6f}"
        self._rows.writerow([*named, confidence, outcome.sure, "", *chances])


def opened_table(path: str) -> TextIO:
    """Return the file at `path` for an `AnswerTable`, which empties it when it has an answer.

    Raises:
        UserError: it cannot be written, or something else than such a table is there already.
    """
    place = _replaceable(path)
    try:
        return place.open("a", newline="", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        raise _unwritable(path) from error


def save_table(path: str, classes: Sequence[str], outcomes: Iterable[Answer | Refusal]) -> None:
    """Write a whole table at once: the old file or the new one, never half.

    Raises:
        UserError: as `opened_table`.
    """
    place = _replaceable(path)
    text = io.StringIO(newline="")
    table = AnswerTable(text, classes)
    for outcome in outcomes:
        table.add(outcome)
    try:
        write_atomically(place, [text.getvalue().encode(errors="backslashreplace")], mode=0o644)
    except (OSError, ValueError) as error:
        raise _unwritable(path) from error


def _replaceable(path: str) -> Path:
    """Return where the table goes.

    Raises:
        UserError: something else than such a table is there already.
    """
    place = expanded(path)
    if not _may_be_replaced(place):
        raise UserError(
            f"{safe_text(path)} is there already, and is no table of answers.",
            "Give another name for the table.",
        )
    return place


def _may_be_replaced(path: Path) -> bool:
    """Tell whether nothing is lost at `path`: there is nothing, a pipe, or an earlier table."""
    try:
        if not path.exists() or not path.is_file():
            return True
        with path.open("rb") as file:
            start = file.read(len(_HEADER) + 1)
    except (OSError, ValueError):
        # Opening it for writing says why in the system's words.
        return True
    return not start or start.startswith(_HEADER.encode())


def _unwritable(path: str) -> UserError:
    return UserError(
        f"The table cannot be written to {safe_text(path)}.", "Give another name for the table."
    )


def _cell(text: str) -> str:
    """Return outside text as a cell that no spreadsheet takes for a formula."""
    safe = safe_text(text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe
