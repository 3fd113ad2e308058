"""Class folders that this program writes: only where nothing is, and whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import UserError


@contextlib.contextmanager
def new_class_folders(folder: Path, classes: Iterable[str], what: str) -> Iterator[None]:
    """Make `folder` with a folder for each of `classes`; what ends early takes back what was written.

    `what` names it in messages, such as `The example`.

    Raises:
        UserError: `folder` holds something, or it cannot be written.
    """
    try:
        with contextlib.ExitStack() as undo:
            if not folder.exists():
                folder.mkdir(parents=True)
                undo.callback(shutil.rmtree, folder, ignore_errors=True)
            if any(folder.iterdir()):
                raise UserError(f"{folder} is not empty.", f"Name a new folder. {what} needs one.")
            for name in classes:
                (folder / name).mkdir()
                undo.callback(shutil.rmtree, folder / name, ignore_errors=True)
            yield
            undo.pop_all()
    except OSError as error:
        raise UserError(
            f"{what} cannot be written to {folder}: {error.strerror or error}",
            "Name a folder in a place that you may write to and that has room.",
        ) from error
