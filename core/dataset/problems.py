"""What stands against training on a data folder, in words, and what could be done about it."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from core.dataset.walk import OUTSIDE, WISHED
from core.errors import UserError
from core.text import count, portable, safe_text

if TYPE_CHECKING:
    from core.dataset.folder import Scan, Tally

# One picture for each part of the split.
LEAST_PER_CLASS = 3


def hopeless(pictures: Mapping[str, int]) -> tuple[str, ...]:
    """Return the classes that have too few pictures to be trained on, of those that `pictures` counts.

    None where no two are left without them, or where a name is no text that a setting could hold.
    """
    few = tuple(name for name, number in pictures.items() if number < LEAST_PER_CLASS)
    can_do_without = len(pictures) - len(few) > 1
    return few if can_do_without and all(portable(name) == name for name in few) else ()


def unknown(found: Scan, without: Sequence[str]) -> UserError | None:
    """Return the error that a class is to be left out that is not there."""
    left_out = {PurePosixPath(file.path).name for file in found.left_out if file.reason == WISHED}
    for name in without:
        if name not in left_out:
            title = f"There is no class folder “{safe_text(name)}” to leave out."
            return UserError(title, "Spell it as the folder is; / stands between several.")
    return None


def problem_of(
    found: Scan, tally: Tally, to_train: bool = True
) -> tuple[UserError | None, Path | None]:
    """Return why `found` cannot be trained on, and the folder that was perhaps meant."""
    shown = safe_text(found.root)
    layout = "Put each class in a folder of its own, named after it, and give the folder above."
    if not found.classes and tally.loose:
        pictures = count(tally.loose, "picture")
        return UserError(f"Found {pictures} but no class folders in {shown}.", layout), None
    if not found.classes:
        return UserError(f"There is nothing to train on in {shown}.", layout), None
    if not any(tally.pictures.values()):
        hint = _links(found) or layout
        return UserError(f"There are no pictures in the class folders of {shown}.", hint), None
    inner = _inner_data_folder(found, tally)
    if inner is not None:
        return (
            UserError(
                f"The class folders seem to lie one level deeper than {shown}.",
                f"Did you mean {safe_text(inner)}?",
            ),
            inner,
        )
    return _problem_of_classes(found, tally, layout) if to_train else None, None


def _problem_of_classes(found: Scan, tally: Tally, layout: str) -> UserError | None:
    if len(found.classes) == 1:
        only = safe_text(found.classes[0])
        title = f"Only one class ({only}) in {safe_text(found.root)}. Two are needed."
        return UserError(title, layout)
    reasons = {file.path: file.reason for file in found.left_out}
    for empty in tally.empty:
        title = f"The class folder “{safe_text(empty)}” has no picture."
        if empty in reasons:
            title = f"The class folder “{safe_text(empty)}” {reasons[empty]}."
        hint = _links(found) or f"Put pictures of that class in it, or train {_without(empty)}"
        return UserError(title, hint)
    alike = _alike(found.classes)
    if alike:
        a, b = (ascii(name) for name in alike)
        title = f"Two class folders look alike: {a} and {b}."
        return UserError(title, "Rename one of them, or merge the two.")
    for part in found.parts:
        for name in found.classes:
            if f"{part}/{name}" not in tally.folders:
                title = f"The class “{safe_text(name)}” is missing in “{safe_text(part)}”."
                hint = "Each part needs a folder with pictures of every class."
                return UserError(title, _links(found) or hint)
    for name in found.classes:
        if tally.pictures[name] < LEAST_PER_CLASS:
            return too_few(name, tally.pictures[name])
    return None


def _links(found: Scan) -> str:
    """Return what to do where it was links that were left out, nothing where there were none."""
    links = sum(file.reason == OUTSIDE for file in found.left_out)
    if not links:
        return ""
    links_lead = count(links, "link leads", "links lead")
    return f"{links_lead} out of the data folder and were not followed: put the files there."


def _without(folder: str) -> str:
    """Return how to leave out the class of a folder."""
    return f"without it: --without {safe_text(shlex.quote(PurePosixPath(folder).name))}"


def too_few(name: str, pictures: int) -> UserError:
    """Return the error for a class that cannot be dealt into three parts."""
    return UserError(
        f"The class “{safe_text(name)}” has only {count(pictures, 'different readable picture')}.",
        f"At least {LEAST_PER_CLASS} are needed: one each to train, validate and test."
        f" Or train {_without(name)}",
    )


def _inner_data_folder(found: Scan, tally: Tally) -> Path | None:
    """Return the folder one level down that holds the classes, if `found` looks wrapped."""
    if found.parts or len(found.classes) != 1:
        return None
    (only,) = found.classes
    # An empty name stands for pictures that lie directly in the class folder.
    below = tally.below.get(only, set())
    return found.root / only if len(below) > 1 and "" not in below else None


def _alike(names: list[str]) -> tuple[str, str] | None:
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold().strip()
        if key in seen:
            return seen[key], name
        seen[key] = name
    return None
