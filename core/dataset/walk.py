"""The streaming scan: what lies below a folder by name, without opening a file or keeping an entry."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp"),
    *(".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"),
)
SYSTEM_FOLDERS = frozenset({"__macosx", "lost+found", "@eadir", "$recycle.bin", "__pycache__"})
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
MAX_DEPTH = 32
# So many entries are met between two words on progress, which is also where a scan can be ended.
BATCH = 4096

WISHED = "is left out by the settings"
OUTSIDE = "is a link that leads outside the data folder"
# The reason of a file that neither its name nor its content calls a picture.
NO_PICTURE = "is not a picture"

OnProgress = Callable[[int], None]


class LeftOutFile(msgspec.Struct, frozen=True):
    """A file or folder that is not trained on, and why; `path` is relative to the data folder."""

    path: str
    reason: str


def is_system(name: str) -> bool:
    """Tell whether `name` is hidden, or one that an operating system leaves in every folder."""
    if name.startswith("."):
        return True
    lower = name.lower()
    return lower in SYSTEM_FOLDERS or lower in SYSTEM_FILES


def is_picture(name: str) -> bool:
    """Tell whether a visible file called `name` is a picture by its name."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def may_be_picture(name: str) -> bool:
    """Tell whether `name` promises a picture, or says nothing at all, as files without a suffix."""
    return name.lower().endswith(SUFFIXES) or "." not in name


class Walk:
    """Walks folders below `root`, following links only where they lead inside it, each target once."""

    def __init__(self, root: str | os.PathLike[str], on_progress: OnProgress | None = None) -> None:
        self.left_out: list[LeftOutFile] = []
        self._root = os.path.realpath(root)
        self._on_progress = on_progress
        # Real paths of what links led to, and of all folders above those.
        self._followed: set[str] = set()
        self._above: set[str] = set()
        # Real paths of the folders that are walked by themselves; the whole root until that is known.
        self._walked = {self._root}
        self._met = 0

    def will_walk(self, folders: Iterable[str]) -> None:
        """Say which folders, relative to the root, are walked; a link into them is not followed."""
        self._walked = {os.path.realpath(os.path.join(self._root, path)) for path in folders}  # noqa: PTH118

    def files(self, folder: str, relative: str) -> Iterator[tuple[str, list[str]]]:
        """Yield the regular files of `folder` and all below it, a batch of one folder at a time.

        Each batch is the path of its folder relative to the root (`relative` that of the first), with a
        slash at its end, and the names of visible files whatever they hold.
        """
        waiting = [(folder, relative, 1)]
        while waiting:
            path, relative, depth = waiting.pop()
            try:
                with os.scandir(path) as entries:
                    for batch in self._batches(entries, relative, depth, waiting):
                        yield relative + "/", batch
            except OSError as error:
                self.leave_out(relative, f"cannot be opened ({error.strerror})")

    def _batches(
        self,
        entries: Iterator[os.DirEntry[str]],
        relative: str,
        depth: int,
        waiting: list[tuple[str, str, int]],
    ) -> Iterator[list[str]]:
        """Yield the names of files in one folder; folders in it are added to those `waiting`."""
        names: list[str] = []
        met = 0
        for entry in entries:
            name = entry.name
            met += 1
            if is_system(name):
                self.leave_out(f"{relative}/{name}", "is hidden or a system file")
            elif entry.is_file(follow_symlinks=False):
                names.append(name)
            elif not self.is_folder(entry, f"{relative}/{name}"):
                if self._is_linked_file(entry, f"{relative}/{name}"):
                    names.append(name)
            elif depth < MAX_DEPTH:
                waiting.append((entry.path, f"{relative}/{name}", depth + 1))
            else:
                self.leave_out(f"{relative}/{name}", "lies too deep")
            if met % BATCH == 0:
                self._tell(BATCH)
                yield names
                names = []
        self._tell(met % BATCH)
        yield names

    def _tell(self, met: int) -> None:
        self._met += met
        if self._on_progress:
            self._on_progress(self._met)

    def is_folder(self, entry: os.DirEntry[str], path: str) -> bool:
        """Tell whether `entry` is a folder to walk; a link to one that is not followed is left out."""
        try:
            if not entry.is_symlink():
                return entry.is_dir()
            return entry.is_dir() and self._may_follow(entry, path)
        except OSError:
            return False

    def _is_linked_file(self, entry: os.DirEntry[str], path: str) -> bool:
        """Tell whether `entry`, no regular file itself, is a link to one that may be followed."""
        try:
            if not entry.is_symlink():
                self.leave_out(path, "is not a regular file")
                return False
            if entry.is_dir():
                # Its reason was said when it was taken for a folder.
                return False
            if stat.S_ISREG(entry.stat().st_mode):
                return self._may_follow(entry, path)
            self.leave_out(path, "is not a regular file")
        except OSError as error:
            self.leave_out(path, f"cannot be opened ({error.strerror})")
        return False

    def _may_follow(self, entry: os.DirEntry[str], path: str) -> bool:
        """Tell whether a link leads to something inside the root that is not walked without it."""
        real = os.path.realpath(entry.path)
        if not real.startswith(self._root + os.sep):
            self.leave_out(path, OUTSIDE)
        elif self._is_walked(real):
            self.leave_out(path, "is a link to what is counted already")
        # A link to a folder that holds the link itself would never end.
        elif (os.path.realpath(os.path.dirname(entry.path)) + os.sep).startswith(real + os.sep):  # noqa: PTH120
            self.leave_out(path, "is a link to a folder that holds it")
        else:
            self._followed.add(real)
            self._above.update(self._folders_above(real))
            return True
        return False

    def _is_walked(self, real: str) -> bool:
        """Tell whether `real` is met without a link, or by one before, or holds what was met by one."""
        if real in self._above or real in self._followed:
            return True
        for folder in self._folders_above(real):
            if folder in self._followed:
                return True
            if folder in self._walked and not _hidden(real[len(folder) + 1 :]):
                return True
        return real in self._walked

    def _folders_above(self, real: str) -> Iterator[str]:
        """Yield the folders that hold `real`, up to the root."""
        while len(real) > len(self._root):
            real = os.path.dirname(real)  # noqa: PTH120
            yield real

    def leave_out(self, path: str, reason: str) -> None:
        """Note by name what is not walked."""
        self.left_out.append(LeftOutFile(path, reason))


def folders_in(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of visible folders in `folder`, none where it cannot be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if not is_system(entry.name) and entry.is_dir()]
    return []


def _hidden(relative: str) -> bool:
    return any(is_system(part) for part in relative.split("/"))
