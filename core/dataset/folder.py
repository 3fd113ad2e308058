"""Class folders → labelled files: what is there by name alone, and whether it can be trained on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from core.dataset.problems import problem_of, unknown
from core.dataset.walk import (
    SUFFIXES,
    WISHED,
    LeftOutFile,
    OnProgress,
    Walk,
    folders_in,
    is_picture,
    is_system,
    may_be_picture,
)
from core.errors import UserError
from core.text import safe_text

__all__ = ["SUFFIXES", "LeftOutFile", "Part", "Scan", "inspect", "is_picture", "is_system", "scan"]

Part = Literal["train", "validation", "test"]
# Folders with these names hold a part each, as somebody has dealt it.
PART_NAMES: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
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


class Tally:
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


def scan(
    root: Path,
    on_progress: OnProgress | None = None,
    *,
    to_train: bool = True,
    without: Sequence[str] = (),
) -> Scan:
    """Return the files below each class folder of `root`, in the order of their names.

    `on_progress` is told now and then how many entries were met; what it raises ends the scan.
    Unless it is `to_train`, one class will do, with any number of pictures. Classes `without` which
    one trains are left out, if they are there.

    Raises:
        UserError: `root` cannot be trained on (see `inspect`), or has no pictures in class folders.
    """
    found, tally = Scan(root=root), Tally()
    by_class: dict[str, list[str]] = {}
    for name, folder, names in _stream(found, tally, on_progress, without):
        by_class.setdefault(name, []).extend([folder + file for file in names])
    problem, _ = problem_of(found, tally, to_train)
    if problem:
        raise problem
    for name in found.classes:
        by_class[name].sort()
    found.files = [by_class[name] for name in found.classes]
    return found


def inspect(
    root: Path, on_progress: OnProgress | None = None, without: Sequence[str] = ()
) -> Inspection:
    """Return what `root` is; what stands against training on it is in `problem`, never raised.

    So does a class `without` which to train that is not there.
    """
    found, tally = Scan(root=root), Tally()
    try:
        for _ in _stream(found, tally, on_progress, without):
            pass
        problem, suggestion = problem_of(found, tally)
        problem = unknown(found, without) or problem
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
    found: Scan, tally: Tally, on_progress: OnProgress | None, without: Sequence[str]
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (class, its folder with a slash, names of files in it); fill in the rest of `found`."""
    entries = _entries(found.root)
    walk = Walk(found.root, on_progress)
    found.left_out = walk.left_out
    folders = _wanted(_class_folders(found, tally, walk, entries), walk, without)
    walk.will_walk(path for _, path in folders)
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
    found: Scan, tally: Tally, walk: Walk, entries: list[os.DirEntry[str]]
) -> list[tuple[str, str]]:
    """Return (class, path of its folder relative to the root) of all class folders, by name.

    Raises:
        UserError: the folder is dealt into parts, but none of them trains.
    """
    names = _folders(walk, tally, entries, "")
    found.parts = _dealt_parts(found.root, names)
    if not found.parts:
        return [(name, name) for name in names]
    for name in names:
        if name not in found.parts:
            walk.leave_out(name, "lies beside the parts and is none of them")
    walk.will_walk(found.parts)
    folders = []
    for part in found.parts:
        inside = _folders(walk, tally, _entries(found.root / part), part + "/")
        folders += [(name, f"{part}/{name}") for name in inside]
    return folders


def _wanted(
    folders: list[tuple[str, str]], walk: Walk, without: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the class folders that are not to be left out."""
    for name, path in folders:
        if name in without:
            walk.leave_out(path, WISHED)
    return [(name, path) for name, path in folders if name not in without]


def _folders(walk: Walk, tally: Tally, entries: list[os.DirEntry[str]], relative: str) -> list[str]:
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
