"""What the doctor found, in words: in short beside other things, or all of it, row by row."""

from __future__ import annotations

import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from textual.content import Content

from core.config import BETWEEN_NAMES, names_in
from core.engine import Finding, Inspection, Report, hopeless
from core.errors import UserError
from core.text import count, safe_text
from tui.words import lines, plain

# Progress is shown at most twice a second.
TOLD_SECONDS = 0.5
MARKS = {"warning": "! ", "note": "- "}
_STYLES = {"warning": "bold $text-warning", "note": ""}
# In the order in which people name them.
PARTS = ("train", "validation", "test")
FILE_INDENT = 4

Role = Literal["plain", "class", "title", "good", "bad", "warning", "note", "file"]


class Row(NamedTuple):
    """A row of all that was found: text from outside, not made safe yet, and what it is."""

    text: str
    role: Role = "plain"
    indent: int = 0


async def reported(
    said: AsyncIterator[tuple[int, int] | Report], tell: Callable[[int, int], None]
) -> Report:
    """Return the report that the doctor comes to; `tell` hears of its progress now and then.

    Raises:
        UserError: the doctor's own, or that there was no report.
    """
    report, told = None, float("-inf")
    async for word in said:
        if isinstance(word, Report):
            report = word
        elif time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            tell(*word)
    if report is None:
        raise UserError("The examination ended without a report.", "Try again.")
    return report


def reading(done: int, total: int) -> Content:
    """Return how far the doctor has come."""
    return Content(f"reading {done:,} of {total:,} …" if total else "reading …")


def problem_of(report: Report, key: Callable[[str], str]) -> UserError | None:
    """Return what forbids training, None where nothing does; `key` names the keys that help."""
    if report.trainable:
        return None
    hint = f"{key('configure.findings')} lists what was found, file by file."
    if few := hopeless(report.classes):
        hint = f"{key('configure.leave_out')} leaves out {safe_text(', '.join(few), 60)}; {hint}"
    return UserError(report.problem, hint)


def without_hopeless(
    inspection: Inspection, report: Report | None, without: str | None = None
) -> str:
    """Return what to leave out, beside `without`, so that a folder may be trained on; nothing if it may be.

    Or if that would not do.
    """
    if report is not None:
        few = () if report.trainable else hopeless(report.classes)
    elif inspection.problem is not None:
        few = hopeless({found.name: found.pictures for found in inspection.classes})
    else:
        few = ()
    return BETWEEN_NAMES.join([*names_in(without), *few]) if few else ""


def damage(report: Report | None) -> Finding | None:
    """Return the finding that much of the folder cannot be read, if it is one."""
    findings = report.findings if report is not None else []
    return next((finding for finding in findings if finding.kind == "unreadable"), None)


def gravest_first(report: Report) -> list[Finding]:
    """Return the findings, warnings before notes."""
    return sorted(report.findings, key=lambda finding: finding.level != "warning")


def usable(report: Report) -> str:
    """Return how many pictures can be used, and of which kind and size they are."""
    kind = {1: ", all gray", 3: ", in colour"}.get(report.channels, "")
    small, middle, large = (f"{w}×{h}" for w, h in (report.smallest, report.median, report.largest))
    sizes = f", {small}" if small == large else f", {small} to {large}, mostly about {middle}"
    return count(report.images, "usable picture") + kind + (sizes if report.largest[0] else "")


def dealt_words(dealt: Sequence[str], of_split: bool = False) -> str:
    """Return what it means that a folder came dealt into parts, with `of_split` for that setting too."""
    here = [part for part in PARTS if part in dealt]
    missing = [part for part in PARTS if part not in dealt]
    if not here:
        return ""
    words = f"dealt into {', '.join(here)}: used as dealt"
    if missing:
        words += f"; {' and '.join(missing)} dealt from train"
    if of_split:
        words += f". The split {'is for test alone' if 'test' in missing else 'does not apply'}."
    return words


def summary(report: Report) -> str:
    """Return in a few words how much there is to see."""
    warnings = sum(finding.level == "warning" for finding in report.findings)
    notes = len(report.findings) - warnings
    parts = [
        count(number, noun) for number, noun in ((warnings, "warning"), (notes, "note")) if number
    ]
    if report.left_out:
        parts.append(left_out_words(report))
    return ", ".join(parts) or "nothing to warn of"


def left_out_words(report: Report) -> str:
    """Return how many files are left out."""
    return f"{count(len(report.left_out), 'file')} left out"


def data_lines(report: Report, key: str, width: int | None = None) -> list[Content]:
    """Return the `key` that lists all, a line per finding and one for what is left out, the gravest first.

    The key stands first because the end may lie below the window. With a `width` lines break there, and
    the key has a summary beside it.
    """
    warnings = [(f.level, f.text) for f in report.findings if f.level == "warning"]
    notes = [(f.level, f.text) for f in report.findings if f.level == "note"]
    left_out = [("note", left_out_words(report))] if report.left_out else []
    said = [*warnings, *left_out, *notes]
    if not said:
        return [Content("nothing to warn of, no file left out")]
    words = " lists all of this, file by file:" if width is None else f": {summary(report)}"
    head = Content.assemble((key, "bold $text-accent"), words)
    return [head, *(_marked(level, text, width) for level, text in said)]


def in_one_line(inspection: Inspection, report: Report | None, key: str) -> Content:
    """Return what was found in one line, for windows without room for more."""
    dealt = "used as dealt; " if inspection.dealt else ""
    if report is None:
        return Content(dealt)
    return Content.assemble((key, "bold $text-accent"), ": ", dealt, summary(report))


def _marked(level: str, text: str, width: int | None) -> Content:
    """Return `text` behind its mark."""
    marked, style = MARKS[level] + text, _STYLES[level]
    return plain(marked, style) if width is None else hanging(marked, style, width)


def hanging(text: str, style: str, width: int) -> Content:
    """Return text that begins with a mark or a blank, what does not fit in `width` indented below it."""
    return lines(*(Content.styled(line, style) for line in broken(text, width)))


def broken(text: str, width: int) -> list[str]:
    """Return marked text from outside, made safe, in lines of at most `width` characters."""
    hang = " " * len(MARKS["note"])
    safe, width = safe_text(text), max(width, 2 * len(hang))
    return textwrap.wrap(safe, width, subsequent_indent=hang, break_on_hyphens=False) or [""]


def all_rows(report: Report) -> list[Row]:
    """Return all that was found: what there is, each finding with its files, each file left out."""
    rows = [Row(usable(report))]
    if report.dealt:
        rows.append(Row(dealt_words(report.dealt)))
    good = Row("can be trained on", "good")
    rows.append(good if report.trainable else Row(f"cannot be trained on: {report.problem}", "bad"))
    rows += [Row(""), *_classes(report)]
    for finding in gravest_first(report):
        rows += [Row(""), Row(MARKS[finding.level] + finding.text, finding.level)]
        rows += [Row(name, "file", FILE_INDENT) for name in _named(finding)]
    if report.left_out:
        rows += [Row(""), Row(MARKS["note"] + left_out_words(report), "note")]
        # By reason, so that the rare ones do not drown among the frequent.
        files = sorted(report.left_out, key=lambda file: (file.reason, file.path))
        rows += [Row(f"{file.path}: {file.reason}", "file", FILE_INDENT) for file in files]
    return rows


def _named(finding: Finding) -> Iterator[str]:
    """Yield the files of a finding; those that are copies of one another in one row."""
    yield from (" = ".join(group) for group in finding.groups)
    yield from finding.files


def _classes(report: Report) -> Iterator[Row]:
    """Yield a row per class, the name last so that it may be of any length."""
    if not report.parts:
        yield Row(f"{'pictures':>9}  class", "title")
        for name, number in report.classes.items():
            yield Row(f"{number:>9,}  {name}", "class")
        return
    yield Row(f"{'train':>9}{'validation':>12}{'test':>9}  class", "title")
    for name, (train, validation, test) in zip(report.classes, report.parts, strict=False):
        yield Row(f"{train:>9,}{validation:>12,}{test:>9,}  {name}", "class")
