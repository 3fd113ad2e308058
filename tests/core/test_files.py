"""A file is the old one or the new one, whatever kills the writer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import files
from tests.core.conftest import ROOT

KILLED_WRITER = """
import os, sys
from pathlib import Path
from core.files import write_atomically
def chunks(kill_at):
    for i in range(20):
        if i == kill_at:
            os.kill(os.getpid(), 9)
        yield b"new" * 1000
write_atomically(Path(sys.argv[1]), chunks(int(sys.argv[2])))
"""


def test_c066_a_kill_leaves_the_old_file_and_the_rest_is_swept(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    for kill_at in (0, 7, 19):
        subprocess.run(
            [sys.executable, "-c", KILLED_WRITER, target, str(kill_at)], cwd=ROOT, check=False
        )
        assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) > 1
    files.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def failing() -> Iterator[bytes]:
        yield b"new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        files.write_atomically(target, failing())
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_a_living_writers_file_is_not_swept(tmp_path: Path) -> None:
    seen: list[Path] = []

    def chunks() -> Iterator[bytes]:
        yield b"new"
        files.sweep(tmp_path)
        seen.extend(tmp_path.iterdir())

    files.write_atomically(tmp_path / "file", chunks())
    assert len(seen) == 1 and (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.timeout(20)
def test_c038_only_regular_files_within_the_limit_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "empty").write_bytes(b"")
    said = {}
    for name in ("pipe", "large", "empty", "none", "."):
        with pytest.raises(files.UnreadableError) as caught:
            files.read_bytes(tmp_path / name, 10)
        said[name] = str(caught.value)
    assert "regular" in said["pipe"] and "regular" in said["."] and "larger" in said["large"]
    assert "empty" in said["empty"] and "No such file" in said["none"]
