"""Class folders → labelled files: what is there by name alone, and whether it can be trained on."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from core.dataset.walk import (
    OUTSIDE,
    SUFFIXES,
    LeftOutFile,
    OnProgress,
    Walk,
    folders_in,
    is_picture,
    is_system,
    may_be_picture,
)
from core.errors import UserError
from core.text import count, safe_text

__all__ = ["SUFFIXES", "LeftOutFile", "Part", "Scan", "inspect", "is_picture", "is_system", "scan"]

Part = Literal["train", "validation", "test"]
# Folders with these names hold a part each, as somebody has dealt it.
PART_NAMES: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# One picture for each part of the split.
LEAST_PER_CLASS = 3
SAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """A class folder: its name and how many files look like pictures."""

    name: str
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a folder is, from its names alone; `problem` says why it cannot be trained on.

    `dealt` names the parts that the folder has been dealt into already, none if it has not.
    """

    folder: Path
    classes: tuple[ClassCount, ...]
    samples: tuple[Path, ...]
    left_out: int
    problem: UserError | None
    suggestion: Path | None
    dealt: tuple[Part, ...] = ()

    @property
    def pictures(self) -> int:
        return sum(c.pictures for c in self.classes)


@dataclass(kw_only=True)
class Scan:
    """The files of a data folder: `files[k]` are those of `classes[k]`, relative to `root`, sorted.

    Whatever their names; what is a picture only their content tells. `parts` maps the folders that
    somebody has dealt the pictures into to what they are, empty where nobody has.
    """

    root: Path
    parts: dict[str, Part] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    files: list[list[str]] = field(default_factory=list)
    left_out: list[LeftOutFile] = field(default_factory=list)

    @property
    def dealt(self) -> list[Part]:
        """The parts that somebody has dealt the pictures into, in the order of their use."""
        return [part for part in get_args(Part) if part in self.parts.values()]

    def part(self, path: str) -> Part | None:
        """Return the part that the file at `path` was dealt into, None where that is still to do."""
        return self.parts.get(path.partition("/")[0]) if self.parts else None


class _Tally:
    """What is counted of each class folder as its files stream by."""

    def __init__(self) -> None:
        self.pictures: dict[str, int] = {}
        self.samples: dict[str, str] = {}
        self.loose = 0
        # All class folders, and those in which nothing looks like a picture.
        self.folders: set[str] = set()
        self.empty: list[str] = []
        # The names of folders below a class that hold pictures, and whether some lie beside them.
        self.below: dict[str, set[str]] = {}

    def add(self, name: str, folder: str, names: list[str]) -> int:
        """Count `names` of `folder`, which lies in class `name`; return how many look like pictures."""
        pictures = [file for file in names if may_be_picture(file)]
        self.pictures[name] = self.pictures.get(name, 0) + len(pictures)
        if pictures:
            first = folder + min(pictures)
            self.samples[name] = min(self.samples.get(name, first), first)
            self.below.setdefault(name, set()).add(folder.split("/")[1])
        return len(pictures)


def scan(root: Path, on_progress: OnProgress | None = None, *, to_train: bool = True) -> Scan:
    """Return the files below each class folder of `root`, in the order of their names.

    `on_progress` is told now and then how many entries were met; what it raises ends the scan.
    Unless it is `to_train`, one class will do, with any number of pictures.

    Raises:
        UserError: `root` cannot be trained on (see `inspect`), or has no pictures in class folders.
    """
    found, tally = Scan(root=root), _Tally()
    by_class: dict[str, list[str]] = {}
    for name, folder, names in _stream(found, tally, on_progress):
        by_class.setdefault(name, []).extend([folder + file for file in names])
    problem, _ = _problem(found, tally, to_train)
    if problem:
        raise problem
    for name in found.classes:
        by_class[name].sort()
    found.files = [by_class[name] for name in found.classes]
    return found


def inspect(root: Path, on_progress: OnProgress | None = None) -> Inspection:
    """Return what `root` is; what stands against training on it is in `problem`, never raised."""
    found, tally = Scan(root=root), _Tally()
    try:
        for _ in _stream(found, tally, on_progress):
            pass
        problem, suggestion = _problem(found, tally)
    except UserError as error:
        return Inspection(
            folder=root, classes=(), samples=(), left_out=0, problem=error, suggestion=None
        )
    samples = [root / tally.samples[name] for name in found.classes if name in tally.samples]
    return Inspection(
        folder=root,
        classes=tuple(
            ClassCount(name=name, pictures=tally.pictures[name]) for name in found.classes
        ),
        samples=tuple(samples[:SAMPLES]),
        left_out=len(found.left_out),
        problem=problem,
        suggestion=suggestion,
        dealt=tuple(found.dealt),
    )


def _stream(
    found: Scan, tally: _Tally, on_progress: OnProgress | None
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (class, its folder with a slash, names of files in it); fill in the rest of `found`."""
    entries = _entries(found.root)
    walk = Walk(found.root, on_progress)
    found.left_out = walk.left_out
    folders = _class_folders(found, tally, walk, entries)
    found.classes = sorted({name for name, _ in folders})
    for name in found.classes:
        tally.pictures[name] = 0
    for name, relative in folders:
        tally.folders.add(relative)
        pictures = 0
        for folder, names in walk.files(os.path.join(found.root, relative), relative):  # noqa: PTH118
            pictures += tally.add(name, folder, names)
            yield name, folder, names
        if not pictures:
            tally.empty.append(relative)


def _class_folders(
    found: Scan, tally: _Tally, walk: Walk, entries: list[os.DirEntry[str]]
) -> list[tuple[str, str]]:
    """Return (class, path of its folder relative to the root) of all class folders, by name.

    Raises:
        UserError: the folder is dealt into parts, but none of them trains.
    """
    names = _folders(walk, tally, entries, "")
    found.parts = _dealt_parts(found.root, names)
    if not found.parts:
        walk.will_walk(names)
        return [(name, name) for name in names]
    for name in names:
        if name not in found.parts:
            walk.leave_out(name, "lies beside the parts and is none of them")
    walk.will_walk(found.parts)
    folders = []
    for part in found.parts:
        inside = _folders(walk, tally, _entries(found.root / part), part + "/")
        folders += [(name, f"{part}/{name}") for name in inside]
    walk.will_walk(path for _, path in folders)
    return folders


def _folders(
    walk: Walk, tally: _Tally, entries: list[os.DirEntry[str]], relative: str
) -> list[str]:
    """Return the names of folders to walk among `entries`; all else is left out by name."""
    names = []
    for entry in entries:
        path = relative + entry.name
        if is_system(entry.name):
            walk.leave_out(path, "is hidden or a system folder")
        elif walk.is_folder(entry, path):
            names.append(entry.name)
        elif is_picture(entry.name):
            tally.loose += 1
            walk.leave_out(path, "lies in no class folder")
    return names


def _dealt_parts(root: Path, names: list[str]) -> dict[str, Part]:
    """Return which folder holds which part where `names` are parts rather than classes.

    A part holds class folders, while a class called `train` holds pictures. Nothing is trained on as
    a class that may be a part.

    Raises:
        UserError: there are parts, but none that trains.
    """
    named = {name: PART_NAMES[name.lower()] for name in names if name.lower() in PART_NAMES}
    parts = {name: part for name, part in named.items() if folders_in(root / name)}
    if len(set(named.values())) < 2 or not parts:
        return {}
    if "train" not in parts.values():
        raise UserError(
            f"{safe_text(root)} is dealt into {' and '.join(map(safe_text, parts))}, without train.",
            "Add a folder “train” with one folder per class, or choose one of these folders.",
        )
    return parts


def _entries(root: Path) -> list[os.DirEntry[str]]:
    shown = safe_text(root)
    try:
        with os.scandir(root) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise UserError(
            f"There is no folder at {shown}.", "Check the path; it is spelled as you gave it."
        ) from None
    except NotADirectoryError:
        raise UserError(
            f"{shown} is a file.", "Choose the folder that holds one folder per class."
        ) from None
    except PermissionError:
        raise UserError(
            f"The folder {shown} may not be read by you.",
            "Ask its owner for read permission, or choose another folder.",
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not possible"
        raise UserError(
            f"The folder {shown} cannot be read: {reason}.", "Check the path and the disk."
        ) from error


def _problem(
    found: Scan, tally: _Tally, to_train: bool = True
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


def _problem_of_classes(found: Scan, tally: _Tally, layout: str) -> UserError | None:
    if len(found.classes) == 1:
        only = safe_text(found.classes[0])
        title = f"Only one class ({only}) in {safe_text(found.root)}. Two are needed."
        return UserError(title, layout)
    reasons = {file.path: file.reason for file in found.left_out}
    for empty in tally.empty:
        title = f"The class folder “{safe_text(empty)}” has no picture."
        if empty in reasons:
            title = f"The class folder “{safe_text(empty)}” {reasons[empty]}."
        hint = _links(found) or "Remove the folder, or put pictures of that class in it."
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


def too_few(name: str, pictures: int) -> UserError:
    """Return the error for a class that cannot be dealt into three parts."""
    return UserError(
        f"The class “{safe_text(name)}” has only {count(pictures, 'different readable picture')}.",
        f"At least {LEAST_PER_CLASS} are needed: one each to train, validate and test.",
    )


def _inner_data_folder(found: Scan, tally: _Tally) -> Path | None:
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
