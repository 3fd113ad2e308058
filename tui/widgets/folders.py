"""A tree of folders (and picture files, where asked) that no folder can freeze."""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PosixPath
from typing import Any

from rich.style import Style
from rich.text import Text, TextType
from textual import work
from textual.widgets import DirectoryTree
from textual.widgets.directory_tree import DirEntry
from textual.widgets.tree import TreeNode

from core.engine import SUFFIXES
from core.text import safe_text
from tui.command import bindings
from tui.commands import TREE
from tui.widgets.folder_counts import FolderCount, count_folders

# More lines than anybody scrolls through, few enough to add at once without a freeze to be felt.
MOST_ENTRIES = 150
LABEL_WIDTH = 60


class Listed(PosixPath):
    """A path that knows what it is, so that the tree need not ask the disk."""

    folder = True
    # Stands for the entries that are not shown.
    rest = False

    def is_dir(self, **_: Any) -> bool:
        """Tell whether it was a folder when it was listed."""
        return self.folder


def list_folder(folder: Path, pictures: bool, most: int = MOST_ENTRIES) -> list[Listed]:
    """Return the first `most` entries by name, folders first, and one that counts the rest."""
    with suppress(OSError), os.scandir(folder) as entries:
        counted = _Counted(_wanted(entries, pictures))
        first = heapq.nsmallest(most, counted, key=lambda found: (not found[1], found[0].lower()))
        listed = [_listed(folder / name, is_folder) for name, is_folder in first]
        if counted.number > len(listed):
            rest = _listed(folder / f"… {counted.number - len(listed):,} more not shown", False)
            rest.rest = True
            listed.append(rest)
        return listed
    return []


class _Counted:
    """Counts what is taken from an iterator."""

    def __init__(self, items: Iterator[tuple[str, bool]]) -> None:
        self._items = items
        self.number = 0

    def __iter__(self) -> Iterator[tuple[str, bool]]:
        for item in self._items:
            self.number += 1
            yield item


def _wanted(entries: Iterable[os.DirEntry[str]], pictures: bool) -> Iterator[tuple[str, bool]]:
    for entry in entries:
        if entry.name.startswith("."):
            continue
        with suppress(OSError):
            if entry.is_dir():
                yield entry.name, True
            elif pictures and entry.name.lower().endswith(SUFFIXES):
                yield entry.name, False


def _listed(path: Path, is_folder: bool) -> Listed:
    listed = Listed(path)
    listed.folder = is_folder
    return listed


class FolderTree(DirectoryTree):
    """Folders below one folder; `enter` only says which was chosen, `right` opens."""

    PATH = Listed
    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "
    BINDINGS = bindings(*TREE)

    def __init__(self, path: Path, *, pictures: bool = False, id: str | None = None) -> None:
        super().__init__(path, id=id)
        self.pictures = pictures
        self.auto_expand = False
        self.guide_depth = 2
        self._counts: dict[Path, FolderCount] = {}
        # Folders in sight whose count is not known yet, in the order in which they were drawn.
        self._wanted: dict[Path, TreeNode[DirEntry]] = {}
        self.is_counting = False

    def on_mount(self) -> None:
        if getattr(self.app, "ascii_only", False):
            self.ICON_NODE, self.ICON_NODE_EXPANDED = "+ ", "- "

    @property
    def marked(self) -> Path | None:
        """The path under the cursor, None on the line that counts what is not shown."""
        node = self.cursor_node
        path = node.data.path if node is not None and node.data is not None else None
        return None if path is None or getattr(path, "rest", False) else Path(path)

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """List the folder anew, cheaply and bounded; this runs in a thread of the tree's own."""
        first = next(iter(paths), None)
        return [] if first is None else list_folder(first.parent, self.pictures)

    def process_label(self, label: TextType) -> Text:
        """Make a name safe to show: on one line, controls visible, of bounded width."""
        name = label.plain if isinstance(label, Text) else label
        return Text(safe_text(name, LABEL_WIDTH))

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> Text:
        """Return the name and, once it is known, how much is in the folder; only lines in sight are drawn."""
        label = super().render_label(node, base_style, style)
        if node.data is None or not node.allow_expand:
            return label
        path = node.data.path
        if path in self._counts:
            words = "  " + self._counts[path].words
            fits = self._indent(node) + label.cell_len + len(words) <= self.content_size.width
            return label.append(words, base_style + Style(dim=True)) if fits else label
        self._wanted[path] = node
        if not self.is_counting:
            self.is_counting = True
            self._count()
        return label

    def _indent(self, node: TreeNode[DirEntry]) -> int:
        """Return the width of the guides before a name."""
        depth = 0
        while node.parent is not None:
            depth, node = depth + 1, node.parent
        return depth * self.guide_depth

    def get_label_width(self, node: TreeNode[DirEntry]) -> int:
        """Return the width of a name, without drawing it; its count stands only where there is room."""
        label = node.label
        return len(self.ICON_NODE) + (label.cell_len if isinstance(label, Text) else len(label))

    @work(group="counts")
    async def _count(self) -> None:
        """Count what is wanted, some folders at a time, and draw those anew."""
        while self._wanted:
            for path, found in (await asyncio.to_thread(count_folders, [*self._wanted])).items():
                self._counts[path] = found
                self._wanted.pop(path).refresh()
        self.is_counting = False

    def action_open(self) -> None:
        """Show what is in the folder under the cursor, or step into it."""
        node = self.cursor_node
        if node is None or not node.allow_expand:
            return
        if node.is_expanded:
            self.action_cursor_down()
        else:
            node.expand()

    def action_close(self) -> None:
        """Close the folder under the cursor, or go to the one that holds it."""
        node = self.cursor_node
        if node is None or node is self.root:
            self.action_up()
        elif node.allow_expand and node.is_expanded:
            node.collapse()
        else:
            self.action_cursor_parent()

    def action_up(self) -> None:
        """Start the tree one folder higher."""
        parent = Path(self.path).absolute().parent
        if parent != Path(self.path).absolute():
            self.path = parent

    def toggle_marked(self) -> None:
        """Open or close the folder under the cursor."""
        if self.cursor_node is not None and self.cursor_node.allow_expand:
            self.cursor_node.toggle()
