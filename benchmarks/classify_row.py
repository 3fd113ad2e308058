"""What the rows of `benchmarks.classify` are given and give back."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from core.engine import SUFFIXES


class Case(NamedTuple):
    """A model, pictures, a folder to write to, and how much to do."""

    model: Path
    pictures: Path
    folder: Path
    number: int
    rounds: int
    mutations: int

    def some(self, number: int) -> list[Path]:
        """Return `number` of the pictures, each as often as need be."""
        found = sorted(p for p in self.pictures.rglob("*") if p.name.lower().endswith(SUFFIXES))
        return list(islice(cycle(found), number))


class Row(NamedTuple):
    """One measured promise."""

    what: str
    figure: str
    promise: str
    kept: bool

    @property
    def line(self) -> str:
        return f"{'  ' if self.kept else '✗ '}{self.what:<44} {self.figure:<58} {self.promise}"


def peak(pid: int) -> int:
    """Return the most memory that a process has had resident, in bytes."""
    return _status(pid, "VmHWM")


def resident(pid: int) -> int:
    """Return how much memory a process has resident, in bytes."""
    return _status(pid, "VmRSS")


def forget_peak(pid: int) -> None:
    """Begin to watch for the peak anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0
