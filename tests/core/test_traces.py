"""What tells an idle screen, at next to no cost, that the list of runs has to be read again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.config import TrainConfig
from core.runs import events as ev
from core.runs.folder import RunFolder


def test_whatever_begins_goes_on_or_is_deleted_leaves_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    seen = [RunFolder.traces()]

    def is_news() -> bool:
        seen.append(RunFolder.traces())
        return seen[-1] != seen[-2]

    assert seen == [{}] and not is_news()
    run = RunFolder.create(TrainConfig(data=str(tmp_path)))
    assert is_news() and not is_news()
    with run.writer() as log:
        assert is_news() and not is_news()
        log.write(ev.Note(level="info", text="it goes on"))
    assert is_news()
    assert run.alive() is False and not is_news()
    shutil.rmtree(run.path)
    assert is_news() and seen[-1] == {}
