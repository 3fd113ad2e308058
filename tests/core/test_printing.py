"""What the headless verbs say of a run, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from core.printing import RunPrinter
from core.runs import events as ev
from core.runs.folder import RunFolder
from tests.core.test_pulse import begun
from tests.core.test_resumable import FAILED, RESUMED, ended
from tests.core.test_snapshot import STARTED, TRAINING, step


def printed(capsys: pytest.CaptureFixture[str], past: int, *events: ev.AnyEvent) -> list[str]:
    printer = RunPrinter(RunFolder(Path("/runs/r")), as_json=False, past=past)
    for event in events:
        printer.show(event)
    return capsys.readouterr().out.splitlines()


def test_an_event_with_two_lines_is_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    ready = replace(begun()[1], duplicates=7, leaked=3)
    said = printed(capsys, 0, STARTED, ready)
    assert [words.split()[1] for words in said] == ["on", "train,", "copies"]


def test_what_was_said_before_a_resume_is_not_told_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    past: list[ev.AnyEvent] = [STARTED, begun()[1], TRAINING, step(3), FAILED]
    said = printed(capsys, len(past), *past, RESUMED, STARTED, TRAINING, ended(4))
    assert said == ["goes on at step 3 of epoch 1", "training on CPU, fp32", "model written to m"]
