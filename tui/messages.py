"""What one screen asks of another; the app answers by opening the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message

from core.runs.folder import RunFolder


@dataclass
class OpenBrowse(Message):
    """Choose a folder of class folders, starting at `at`."""

    at: Path | None = None


@dataclass
class OpenConfigure(Message):
    """Choose the settings for training on `folder`; `settings` differ from the defaults."""

    folder: Path
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass
class OpenRun(Message):
    """Watch a run, living or past."""

    run: RunFolder


@dataclass
class OpenReport(Message):
    """See what a run came to."""

    run: RunFolder


@dataclass
class OpenClassify(Message):
    """Classify pictures with `model`, or with one still to be chosen: first of all the one at `picture`."""

    model: Path | None = None
    picture: Path | None = None


@dataclass
class OpenRuns(Message):
    """List all runs."""


@dataclass
class OpenDemo(Message):
    """Draw the built-in example."""


@dataclass
class OpenSettings(Message):
    """See and change the settings."""
