"""`classify` with a real model: order, batches, lists, tables, and what a death in the middle costs."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.model.card import model_info
from core.prediction.classifier import Answer, Classifier
from core.prediction.sources import Refusal, Source
from core.prediction.table import AnswerTable, opened_table, save_table
from tests.core.conftest import ROOT, TrainedRun, cli


async def outcomes(classifier: Classifier, *words: object) -> list[Answer | Refusal]:
    async def singles() -> AsyncIterator[Source | Refusal]:
        for word in words:
            async for source in classifier.gather(str(word)):
                yield source

    return [outcome async for outcome in classifier.classify_all(singles())]


async def test_many_are_answered_as_one_by_one_and_in_their_order(
    trained: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(trained.data)
    # A full window must not be a busy loop, which would take a core from the model.
    monkeypatch.setattr("core.prediction.classifier.MOST_UNDER_WAY", 8)
    waits, wait = [0], asyncio.wait

    def counted(*given: Any, **options: Any) -> Any:
        waits[0] += 1
        return wait(*given, **options)

    monkeypatch.setattr(asyncio, "wait", counted)
    async with classifier:
        began = time.monotonic()
        together = await outcomes(classifier, trained.data / "high", trained.data / "none.png")
        # The time of each is its own: many under way at once count no second more than once a reader.
        total = sum(o.milliseconds for o in together if isinstance(o, Answer)) / 1000
        assert 0 < total < (time.monotonic() - began) * (classifier.readers.most + 1)
        names = [o.source if isinstance(o, Refusal) else Path(o.source).name for o in together]
        assert names == [
            *(f"{i:03}.png" for i in range(40)),
            str(trained.data / "high" / "broken.jpg"),
            str(trained.data / "none.png"),
        ]
        assert waits[0] < 5 * len(together)
        for outcome in together[:5]:
            assert isinstance(outcome, Answer) and outcome.picture is None
            alone = await classifier.classify(outcome.source)
            assert alone.label == outcome.label and alone.picture is not None
            assert abs(alone.confidence - outcome.confidence) < 1e-5
        # Giving up in the middle stops what is under way, and the next one is answered.
        stream = classifier.classify_all(classifier.gather(str(trained.data / "high")))
        assert isinstance(await anext(stream), Answer)
        await stream.aclose()
        assert isinstance(await classifier.classify(str(trained.data / "low/001.png")), Answer)
    assert classifier.readers.pids == [] and classifier.predictions.pid is None
    assert len(asyncio.all_tasks()) == 1


async def test_a_predictor_that_dies_costs_one_retry(trained: TrainedRun) -> None:
    async with Classifier(trained.data) as classifier:
        picture = trained.data / "low" / "000.png"
        first = await classifier.classify(str(picture))
        pid = classifier.predictions.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        again = await classifier.classify(str(picture))
        assert dataclasses.replace(again, milliseconds=0) == dataclasses.replace(
            first, milliseconds=0
        )
        assert classifier.predictions.pid not in (None, pid)


async def test_c064_a_model_that_is_replaced_meanwhile_is_not_answered_with(
    trained: TrainedRun, tmp_path: Path
) -> None:
    model = tmp_path / "m.safetensors"
    data = bytearray((trained.data / "alexnet.safetensors").read_bytes())
    model.write_bytes(data)
    async with Classifier(model) as classifier:
        await classifier.classify(str(trained.data / "low" / "000.png"))
        data[-1] ^= 1
        model.write_bytes(data)
        assert classifier.predictions.pid is not None
        os.kill(classifier.predictions.pid, signal.SIGKILL)
        with pytest.raises(UserError, match="does not match its hash"):
            await classifier.classify(str(trained.data / "low" / "000.png"))


def test_a_list_an_archive_and_a_pattern_from_the_command_line(
    trained: TrainedRun, tmp_path: Path
) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(trained.data / "high" / "001.png", "deep/1.png")
        file.writestr("deep/bad.png", b"no picture")
    table = tmp_path / "t.csv"
    words = [archive, "-", f"{trained.data}/low/00[12].png", "--json", "--csv", table]
    listed = f"{trained.data}/high/003.png\n\n/none.png\n{archive}"
    ran = cli("classify", trained.data, *words, stdin=listed)
    assert ran.code == 1 and ran.err == ""
    sources = [
        f"{archive}/deep/1.png",
        f"{archive}/deep/bad.png",
        f"{trained.data}/high/003.png",
        "/none.png",
        f"{archive}/deep/1.png",
        f"{archive}/deep/bad.png",
        f"{trained.data}/low/001.png",
        f"{trained.data}/low/002.png",
    ]
    assert [line["source"] for line in ran.objects] == sources
    assert ["error" in line for line in ran.objects] == [0, 1, 0, 1, 0, 1, 0, 0]
    rows = list(csv.reader(table.open()))
    assert rows[0] == ["source", "label", "confidence", "sure", "error", "high", "low"]
    assert [row[0] for row in rows[1:]] == sources


def test_ctrl_c_is_seen_while_a_list_is_waited_for(trained: TrainedRun) -> None:
    command = [sys.executable, str(ROOT / "run_tui.py"), "classify", str(trained.data), "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # In a background job SIGINT would be ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        assert program.stdin and program.stdout and program.stderr
        program.stdin.write(f"{trained.data}/high/001.png\n".encode())
        program.stdin.flush()
        # The answer comes although the list is not at its end.
        assert b"001.png" in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert program.wait(30) == 130
        assert time.monotonic() - began < 20
        assert program.stderr.read() == b""


@pytest.mark.parametrize("name", ["a.png", "notes.txt"])
def test_a_table_never_takes_the_place_of_something_else(
    trained: TrainedRun, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"mine")
    ran = cli("classify", trained.data, tmp_path / name, "--csv", tmp_path / name)
    assert ran.code == 2 and "no table of answers" in ran.err
    assert (tmp_path / name).read_bytes() == b"mine"
    with pytest.raises(UserError, match="no table of answers"):
        save_table(str(tmp_path / name), ["a"], [])


def test_a_table_is_written_over_an_earlier_one_and_runs_no_formula(tmp_path: Path) -> None:
    answer = Answer(
        source="=HYPERLINK()",
        label="@cat",
        confidence=1.0,
        sure=True,
        probabilities={"@cat": 1.0},
        milliseconds=1,
    )
    refusal = Refusal("-x.png", UserError("+1 is bad,\nreally", "x"))
    path = tmp_path / "t.csv"
    save_table(str(path), ["@cat"], [answer])
    save_table(str(path), ["@cat"], [answer, refusal])
    assert list(csv.reader(path.open())) == [
        ["source", "label", "confidence", "sure", "error", "'@cat"],
        ["'=HYPERLINK()", "'@cat", "1.000000", "True", "", "1.000000"],
        ["'-x.png", "", "", "", "'+1 is bad,\\nreally", ""],
    ]
    # An earlier table goes when the first answer comes, and not before.
    earlier = path.read_bytes()
    with opened_table(str(path)) as file:
        table = AnswerTable(file, ["@cat"])
        file.flush()
        assert path.read_bytes() == earlier
        table.add(refusal)
    assert [row[0] for row in csv.reader(path.open())] == ["source", "'-x.png"]
    with pytest.raises(UserError, match="cannot be written"):
        save_table(str(tmp_path / "none" / "t.csv"), [], [])


def test_of_a_data_folder_the_trained_model_is_taken_or_else_the_newest(
    trained: TrainedRun, tmp_path: Path
) -> None:
    data = (trained.data / "alexnet.safetensors").read_bytes()
    for name, when in (("old.safetensors", 1000), ("new.safetensors", 2000)):
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (when, when))
    (tmp_path / "foreign.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    (tmp_path / ".hidden.safetensors").write_bytes(data)
    assert model_info(tmp_path).path.name == "new.safetensors"
    # The newest is damaged: the one before it is named.
    (tmp_path / "new.safetensors").write_bytes(data[:-100])
    with pytest.raises(UserError, match="does not match its hash") as caught:
        model_info(tmp_path)
    assert f"{tmp_path}/old.safetensors" in caught.value.hint
    assert "is intact" in caught.value.hint
    (tmp_path / "alexnet.safetensors").write_bytes(data)
    os.utime(tmp_path / "alexnet.safetensors", (500, 500))
    assert model_info(tmp_path).path.name == "alexnet.safetensors"


def test_c059_the_model_of_another_program_is_refused_with_the_way_on(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"\x80\x02}q\x00.")
    for given in (tmp_path, tmp_path / "model.pth"):
        ran = cli("classify", given, "x.png")
        assert ran.code == 2 and "can run code" in ran.err and "run_tui.py train" in ran.err
