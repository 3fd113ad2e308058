"""Kaggle's table of faces → class folders: `fer2013.csv` and `icml_face_data.csv`, read row by row.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests",
2013, section 2: 35,887 gray faces of 48x48 pixels, each with one of seven emotions.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.dataset.report import FER2013_CLASSES, Imported, ImportedRow
from core.dataset.writing import new_class_folders
from core.errors import UserError
from core.files import UnreadableError, open_regular

SIDE = 48
TELL_EVERY = 256
MOST_NAMED = 1000
# A row holds 2,304 numbers of at most three digits.
LONGEST_LINE = 65_536
_WHERE = "Give Kaggle's fer2013.csv or icml_face_data.csv, unpacked."

_LEVEL = re.compile("[0-9]{1,3}")

Progress = Callable[[int, int], None]


class _RowError(Exception):
    """A row that is no face; its text says why."""


def import_fer2013(
    table: Path, folder: Path, classes: Sequence[str], on_progress: Progress
) -> Imported:
    """Write the faces of `classes` in the CSV file `table` as PNG files into class folders of `folder`.

    `on_progress` is told how many of the file's bytes are done. Rows that are no face are named and left
    out. What ends early takes back what it wrote.

    Raises:
        UserError: the table is none of FER2013, has no face of a class, or `folder` cannot be written.
    """
    wanted = {FER2013_CLASSES.index(name): name for name in classes}
    counts = dict.fromkeys(classes, 0)
    bad: list[ImportedRow] = []
    bad_rows = 0
    with (
        _opened(table) as file,
        new_class_folders(folder, classes, "The class folders"),
    ):
        size = table.stat().st_size
        columns, rows = _rows(file, table)
        for number, row in rows:
            try:
                emotion, pixels = _face(row, columns)
            except _RowError as error:
                bad_rows += 1
                if len(bad) < MOST_NAMED:
                    bad.append(ImportedRow(line=number, reason=str(error)))
                continue
            if name := wanted.get(emotion):
                counts[name] += 1
                path = folder / name / f"{_usage(row, columns)}-{number:06}.png"
                Image.fromarray(pixels).save(path)
            if number % TELL_EVERY == 0:
                on_progress(min(file.tell(), size), size)
        empty = [name for name, number in counts.items() if not number]
        if empty:
            raise UserError(f"There is no face of the class “{empty[0]}” in {table}.", _WHERE)
    on_progress(size, size)
    return Imported(folder=str(folder), classes=counts, left_out=bad, bad_rows=bad_rows)


def _opened(table: Path) -> BinaryIO:
    try:
        return os.fdopen(open_regular(table), "rb")
    except UnreadableError as error:
        raise UserError(f"The table {table} {error}.", _WHERE) from error


def _rows(file: BinaryIO, table: Path) -> tuple[dict[str, int], Iterator[tuple[int, list[str]]]]:
    """Return where the columns are, and the numbered rows below the header."""
    rows = _split(file, table)
    _, header = next(rows, (1, []))
    columns = {name.strip().lower(): place for place, name in enumerate(header)}
    if not {"emotion", "pixels"} <= columns.keys():
        raise UserError(f"{table} has no columns “emotion” and “pixels”.", _WHERE)
    return columns, rows


def _split(file: BinaryIO, table: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line; no cell of these tables goes over several lines."""
    number = 0
    while line := _line(file, table):
        number += 1
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
        try:
            cells = next(csv.reader([text], skipinitialspace=True), [])
        except csv.Error:
            cells = [""]
        if cells:
            yield number, cells


def _line(file: BinaryIO, table: Path) -> bytes:
    """Return the next line, or the start of one that is longer than any row."""
    try:
        line = rest = file.readline(LONGEST_LINE)
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        return line
    except OSError as error:
        raise UserError(f"The table {table} cannot be read: {error.strerror}.", _WHERE) from error


def _face(row: list[str], columns: dict[str, int]) -> tuple[int, NDArray[np.uint8]]:
    """Return the emotion and the `(48, 48)` uint8 pixels of a row."""
    wanted = max(columns.values()) + 1
    if len(row) < wanted:
        raise _RowError(f"has {len(row)} cells instead of {wanted}")
    emotion = row[columns["emotion"]].strip()
    if not re.fullmatch("[0-6]", emotion):
        raise _RowError("has no emotion from 0 to 6")
    values = row[columns["pixels"]].split()
    if len(values) != SIDE * SIDE:
        raise _RowError(f"has {len(values):,} pixels instead of {SIDE * SIDE:,}")
    if not all(_LEVEL.fullmatch(value) and int(value) < 256 for value in values):
        raise _RowError("has a pixel that is no number from 0 to 255")
    return int(emotion), np.array(values, np.uint8).reshape(SIDE, SIDE)


def _usage(row: list[str], columns: dict[str, int]) -> str:
    """Return which part of the contest a row was for, fit for a file's name."""
    said = row[columns["usage"]] if "usage" in columns else ""
    return re.sub(r"[^a-z]+", "", said.lower())[:20] or "face"
