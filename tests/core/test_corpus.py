"""A folder of everything that can be wrong with files: each is named, none hurts, nothing is changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from core.text import readable
from tests.core import corpus
from tests.core.conftest import cli, write_dataset


@pytest.fixture(scope="module")
def mess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good data set with the whole corpus in one of its classes."""
    data = write_dataset(tmp_path_factory.mktemp("mess") / "data", per_class=150)
    corpus.write_corpus(data / "high")
    return data


@pytest.fixture(scope="module")
def report(mess: Path) -> dict[str, Any]:
    before = everything_in(mess)
    ran = cli("doctor", mess, "--json")
    assert ran.code == 0, ran
    assert everything_in(mess) == before
    report: dict[str, Any] = ran.objects[-1]
    return report


def everything_in(folder: Path) -> dict[str, Any]:
    """Return names, kinds, times and content of all there is below `folder`."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[os.fspath(path)] = (status.st_mode, status.st_mtime_ns, status.st_size, hash(content))
    return found


def test_the_corpus_is_large() -> None:
    assert len(corpus.BAD) >= 40 and len({kind.name for kind in corpus.BAD}) == len(corpus.BAD)


@pytest.mark.parametrize("kind", corpus.BAD, ids=lambda kind: ascii(kind.name))
def test_each_bad_file_is_left_out_with_its_reason(
    report: dict[str, Any], kind: corpus.Kind
) -> None:
    reasons = {file["path"]: file["reason"] for file in report["left_out"]}
    reason = reasons[readable(f"high/{kind.name}")]
    assert reason and kind.reason in reason


@pytest.mark.parametrize("kind", corpus.ODD, ids=lambda kind: kind.name)
def test_each_odd_picture_is_used_and_noted(report: dict[str, Any], kind: corpus.Kind) -> None:
    path = f"high/{kind.name}"
    assert path not in {file["path"] for file in report["left_out"]}
    noted = {finding["kind"] for finding in report["findings"] if path in finding["files"]}
    assert noted >= ({kind.note} if kind.note else set()) and len(noted) <= 2
    if not kind.note:
        assert not noted - {"enlarged"}


def test_nothing_is_replaced_or_counted_twice(report: dict[str, Any]) -> None:
    assert report["images"] == 300 + len(corpus.ODD)
    assert report["classes"] == {"high": 150 + len(corpus.ODD), "low": 150}
    assert len(report["left_out"]) == len(corpus.BAD)
