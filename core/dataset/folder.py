"""Class folders → labelled files: what is there by name alone, and whether it can be trained on."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import UserError
from core.text import count, safe_text

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp"),
    *(".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"),
)
SYSTEM_FOLDERS = frozenset({"__macosx", "lost+found", "@eadir", "$recycle.bin", "__pycache__"})
SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
# One picture for each part of the split.
LEAST_PER_CLASS = 3
MAX_DEPTH = 32
SAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """A class folder: its name and how many files look like pictures."""

    name: str
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a folder is, from its names alone; `problem` says why it cannot be trained on."""

    folder: Path
    classes: tuple[ClassCount, ...]
    samples: tuple[Path, ...]
    left_out: int
    problem: UserError | None
    suggestion: Path | None

    @property
    def pictures(self) -> int:
        return sum(c.pictures for c in self.classes)


@dataclass(frozen=True, kw_only=True)
class LeftOutFile:
    """A file or folder that is not trained on, and why; `path` is relative to the data folder."""

    path: str
    reason: str


@dataclass(kw_only=True)
class Scan:
    """The pictures of a data folder by name: `files[k]` are those of `classes[k]`, relative, sorted."""

    root: Path
    classes: list[str] = field(default_factory=list)
    files: list[list[str]] = field(default_factory=list)
    left_out: list[LeftOutFile] = field(default_factory=list)
    loose_pictures: int = 0


def scan(root: Path, on_progress: Callable[[int], None] | None = None) -> Scan:
    """Return the pictures below each class folder of `root`, in the order of their names.

    `on_progress` is told now and then how many entries were met; what it raises ends the scan.

    Raises:
        UserError: `root` cannot be trained on (see `inspect`).
    """
    found = _scan(root, on_progress)
    problem, _ = _problem(found)
    if problem:
        raise problem
    return found


def inspect(root: Path, on_progress: Callable[[int], None] | None = None) -> Inspection:
    """Return what `root` is; what stands against training on it is in `problem`, never raised."""
    try:
        found = _scan(root, on_progress)
        problem, suggestion = _problem(found)
    except UserError as error:
        return Inspection(
            folder=root, classes=(), samples=(), left_out=0, problem=error, suggestion=None
        )
    classes = zip(found.classes, found.files, strict=True)
    return Inspection(
        folder=root,
        classes=tuple(ClassCount(name=name, pictures=len(files)) for name, files in classes),
        samples=tuple(root / files[0] for files in found.files[:SAMPLES] if files),
        left_out=len(found.left_out),
        problem=problem,
        suggestion=suggestion,
    )


def _scan(root: Path, on_progress: Callable[[int], None] | None) -> Scan:
    found = Scan(root=root)
    entries = _entries(root)
    walk = _Walk(root, found, on_progress)
    for entry in entries:
        name = entry.name
        if walk.is_folder(entry):
            if is_system(name):
                found.left_out.append(LeftOutFile(path=name, reason="is a system folder"))
                continue
            found.classes.append(name)
            found.files.append(sorted(walk.pictures(entry.path, name)))
        elif is_picture(name):
            found.loose_pictures += 1
        else:
            walk.tell_of_link(entry, name)
    return found


class _Walk:
    """Walks class folders, following links only inside the data folder and only once."""

    def __init__(self, root: Path, found: Scan, on_progress: Callable[[int], None] | None) -> None:
        self._root = os.path.realpath(root)
        self._found = found
        self._on_progress = on_progress
        self._linked: set[tuple[int, int]] = set()
        self._met = 0

    def pictures(self, folder: str, relative: str, depth: int = 1) -> Iterator[str]:
        """Yield the relative paths of what look like pictures in `folder` and below."""
        try:
            entries = _sorted_entries(folder)
        except OSError as error:
            self._leave_out(relative, f"cannot be opened ({error.strerror})")
            return
        for entry in entries:
            self._met += 1
            if self._on_progress and self._met % 1024 == 0:
                self._on_progress(self._met)
            path = f"{relative}/{entry.name}"
            if is_system(entry.name):
                continue
            if self.is_folder(entry):
                if depth < MAX_DEPTH:
                    yield from self.pictures(entry.path, path, depth + 1)
                else:
                    self._leave_out(path, "lies too deep")
            elif not is_picture(entry.name):
                self.tell_of_link(entry, path)
            elif self._is_usable(entry, path):
                yield path

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            if not entry.is_symlink():
                return entry.is_dir()
            return entry.is_dir() and self._may_follow(entry)
        except OSError:
            return False

    def tell_of_link(self, entry: os.DirEntry[str], path: str) -> None:
        """Leave out by name a link to a folder that was not followed."""
        with suppress(OSError):
            if entry.is_symlink() and entry.is_dir() and not is_system(entry.name):
                self._leave_out(path, "is a link that leads outside or was met before")

    def _is_usable(self, entry: os.DirEntry[str], path: str) -> bool:
        try:
            if entry.is_file(follow_symlinks=False):
                return True
            if entry.is_symlink():
                usable = stat.S_ISREG(entry.stat().st_mode) and self._may_follow(entry)
                if not usable:
                    self._leave_out(path, "is a link that leads outside or was met before")
                return usable
        except OSError as error:
            self._leave_out(path, f"cannot be opened ({error.strerror})")
            return False
        self._leave_out(path, "is not a regular file")
        return False

    def _may_follow(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether a link leads to a place inside the data folder that no link led to before."""
        real = os.path.realpath(entry.path)
        status = entry.stat()
        key = (status.st_dev, status.st_ino)
        inside = real.startswith(self._root + os.sep) and key not in self._linked
        # A link to a folder that holds it would count its pictures again and again.
        holder = os.path.realpath(Path(entry.path).parent)
        if inside and not (holder + os.sep).startswith(real + os.sep):
            self._linked.add(key)
            return True
        return False

    def _leave_out(self, path: str, reason: str) -> None:
        self._found.left_out.append(LeftOutFile(path=path, reason=reason))


def _entries(root: Path) -> list[os.DirEntry[str]]:
    shown = safe_text(root)
    try:
        return _sorted_entries(root)
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


def _sorted_entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def is_system(name: str) -> bool:
    lower = name.lower()
    return name.startswith(".") or lower in SYSTEM_FOLDERS or lower in SYSTEM_FILES


def is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _problem(found: Scan) -> tuple[UserError | None, Path | None]:
    """Return why `found` cannot be trained on, and the folder that was perhaps meant."""
    shown = safe_text(found.root)
    layout = "Put each class in a folder of its own, named after it, and give the folder above."
    filled = [name for name, files in zip(found.classes, found.files, strict=True) if files]
    if not found.classes and found.loose_pictures:
        pictures = count(found.loose_pictures, "picture")
        return UserError(f"Found {pictures} but no class folders in {shown}.", layout), None
    if not found.classes:
        return UserError(f"There is nothing to train on in {shown}.", layout), None
    if not filled:
        return UserError(f"There are no pictures in the class folders of {shown}.", layout), None
    inner = _inner_data_folder(found)
    if inner is not None:
        return (
            UserError(
                f"The class folders seem to lie one level deeper than {shown}.",
                f"Did you mean {safe_text(inner)}?",
            ),
            inner,
        )
    if len(found.classes) == 1:
        only = safe_text(found.classes[0])
        return UserError(f"Only one class ({only}) in {shown}. Two are needed.", layout), None
    for name in found.classes:
        if name not in filled:
            title = f"The class folder “{safe_text(name)}” has no picture."
            return UserError(title, "Remove the folder, or put pictures of that class in it."), None
    alike = _alike(found.classes)
    if alike:
        a, b = (ascii(name) for name in alike)
        title = f"Two class folders look alike: {a} and {b}."
        return UserError(title, "Rename one of them, or merge the two."), None
    for name, files in zip(found.classes, found.files, strict=True):
        if len(files) < LEAST_PER_CLASS:
            return too_few(name, len(files)), None
    return None, None


def too_few(name: str, pictures: int) -> UserError:
    """Return the error for a class that cannot be dealt into three parts."""
    return UserError(
        f"The class “{safe_text(name)}” has only {count(pictures, 'different readable picture')}.",
        f"At least {LEAST_PER_CLASS} are needed: one each to train, validate and test.",
    )


def _inner_data_folder(found: Scan) -> Path | None:
    """Return the folder one level down that holds the classes, if `found` looks wrapped."""
    wrapped = len(found.classes) == 1
    parts = {name.lower() for name in found.classes}
    dealt = len(parts) > 1 and parts <= SPLIT_NAMES
    if not (wrapped or dealt):
        return None
    for name, files in zip(found.classes, found.files, strict=True):
        below = {path.split("/")[1] for path in files if path.count("/") > 1}
        directly = any(path.count("/") == 1 for path in files)
        if len(below) > 1 and not directly and (wrapped or name.lower().startswith("train")):
            return found.root / name
    return None


def _alike(names: list[str]) -> tuple[str, str] | None:
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold().strip()
        if key in seen:
            return seen[key], name
        seen[key] = name
    return None
