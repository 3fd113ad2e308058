"""One real training, end to end: what it says, what it leaves, and that its file answers as it did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.model.card import model_info
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.runs.log import EventReader
from core.runs.snapshot import RunView
from core.training.temperature import LEAST, MOST
from tests.core.conftest import TrainedRun, cli


def test_the_events_tell_the_whole_story_in_order(trained: TrainedRun) -> None:
    kinds = [event["event"] for event in trained.events]
    assert kinds[0] == "run-started" and kinds[-1] == "run-ended"
    order = ["dataset-ready", "training-started", "step", "epoch-ended", "evaluated", "certified"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)
    assert [event["epoch"] for event in trained.of("epoch-ended")] == [1, 2, 3]
    assert trained.of("run-started")[0]["device_name"].startswith("CPU")
    assert all(isinstance(event["time"], float) for event in trained.events)
    assert trained.of("step")[-1]["step"] == trained.of("epoch-ended")[-1]["step"]


def test_the_last_line_is_the_contracts(trained: TrainedRun) -> None:
    last = trained.events[-1]
    assert set(last) == {
        *("event", "time", "run", "model", "seconds", "images_per_second"),
        *("epochs", "best_epoch", "validation", "test"),
    }
    assert set(last["test"]) == {"accuracy", "low", "high", "n"}
    assert last["test"]["low"] <= last["test"]["accuracy"] <= last["test"]["high"]
    assert last["model"] == str(trained.data / "alexnet.safetensors")
    assert Path(last["run"]).is_dir() and last["epochs"] == 3


def test_it_learned_what_a_child_would(trained: TrainedRun) -> None:
    assert trained.events[-1]["test"]["accuracy"] >= 0.9


def test_broken_files_are_named_and_copies_counted(trained: TrainedRun) -> None:
    (left_out,) = trained.of("left-out")
    assert left_out["path"] == "high/broken.jpg" and left_out["reason"]
    ready = trained.of("dataset-ready")[0]
    assert ready["left_out"] == 1 and ready["duplicates"] == 1
    assert sum(map(sum, (ready["train"], ready["validation"], ready["test"]))) == 81


def test_the_test_part_was_never_trained_on(trained: TrainedRun) -> None:
    split = json.loads(RunFolder(Path(trained.events[-1]["run"])).split.read_bytes())
    parts = [{m["digest"] for m in split[part]} for part in ("train", "validation", "test")]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_the_only_thing_left_in_the_data_folder_is_the_model(trained: TrainedRun) -> None:
    assert {path.name for path in trained.data.iterdir()} == {
        "high",
        "low",
        "alexnet.safetensors",
    }


def test_confidence_is_calibrated_on_the_validation_part(trained: TrainedRun) -> None:
    (note,) = (e for e in trained.of("note") if "calibrated on" in e["text"])
    card = model_info(trained.data / "alexnet.safetensors").card
    temperature = card.preprocessing.temperature
    assert f"temperature {temperature:.2f}" in note["text"]
    assert LEAST <= temperature <= MOST and temperature != 1 and card.format_version == 3


def test_the_saved_file_answers_as_the_trained_model_did(trained: TrainedRun) -> None:
    certified = trained.of("certified")[0]
    assert certified["passed"] and certified["n"] == trained.events[-1]["test"]["n"]
    run = RunFolder(Path(trained.events[-1]["run"]))
    expected = [json.loads(line) for line in run.predictions.read_bytes().splitlines()]
    sources = [trained.data / line["path"] for line in expected]
    ran = cli("classify", trained.data, *sources, "--json")
    assert ran.code == 0, ran.err
    for line, answer in zip(expected, ran.objects, strict=True):
        assert answer["label"] == line["label"]
        wanted = dict(zip(["high", "low"], line["probabilities"], strict=True))
        assert answer["probabilities"] == pytest.approx(wanted, abs=1e-5)


def test_the_model_is_all_that_is_needed_elsewhere(trained: TrainedRun, tmp_path: Path) -> None:
    moved = tmp_path / "else where" / "m.safetensors"
    moved.parent.mkdir()
    shutil.copy(trained.data / "alexnet.safetensors", moved)
    picture = tmp_path / "p.png"
    shutil.copy(trained.data / "high" / "001.png", picture)
    env = {"ALEXNET_TUI_RUNS": str(tmp_path / "none"), "XDG_CACHE_HOME": str(tmp_path / "none")}
    info = cli("info", moved, "--json", env=env)
    assert info.objects[0]["classes"] == ["high", "low"]
    assert info.objects[0]["results"]["test"]["n"] == trained.events[-1]["test"]["n"]
    assert "high, low" in cli("info", moved, env=env).out
    answer = cli("classify", moved, picture, "--json", env=env).objects[0]
    assert set(answer) == {"source", "label", "confidence", "sure", "probabilities", "milliseconds"}
    assert answer["label"] == "high" and answer["confidence"] == max(
        answer["probabilities"].values()
    )


def test_watching_afterwards_shows_the_same_events(trained: TrainedRun) -> None:
    ran = cli("watch", trained.data, "--json")
    assert ran.code == 0 and ran.objects == trained.events


def test_people_get_lines_instead(trained: TrainedRun) -> None:
    out = cli("watch", Path(trained.events[-1]["run"]).name).out
    assert out.startswith("training on CPU") and "epoch 3/3" in out and "high/broken.jpg" in out


def test_a_dashboard_that_attaches_later_shows_the_finished_run(trained: TrainedRun) -> None:
    run = RunFolder(Path(trained.events[-1]["run"]))
    view = RunView()
    view.apply(EventReader(run.path / "events.jsonl").read())
    now = view.snapshot(alive=run.alive())
    assert now.state == "finished" and now.ended is not None and now.best is not None
    assert now.certified == view.snapshot().certified
    assert isinstance(now.ended, ev.RunEnded) and not run.alive()


def test_runs_lists_it_with_its_score(trained: TrainedRun) -> None:
    (listed,) = cli("runs", trained.data, "--json").objects
    assert listed["state"] == "finished" and listed["test"] == trained.events[-1]["test"]
    assert f"{listed['test']['accuracy']:.1%} test" in cli("runs", trained.data).out


def test_a_folder_of_pictures_is_answered_one_by_one(trained: TrainedRun, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    shutil.copytree(trained.data / "low", folder / "deeper")
    (folder / "bad.jpg").write_bytes(b"bad")
    ran = cli("classify", trained.data, folder, "--json", "--csv", tmp_path / "t.csv", "--top", 1)
    assert ran.code == 1
    answers = [line for line in ran.objects if "label" in line]
    assert len(answers) == 41 and all(len(line["probabilities"]) == 1 for line in answers)
    assert sum(line["label"] == "low" for line in answers) >= 37
    (failure,) = [line for line in ran.objects if "error" in line]
    assert failure["source"].endswith("bad.jpg") and failure["hint"]
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert rows[0] == "source,label,confidence,sure,error,high,low" and len(rows) == 43


def test_a_list_on_stdin(trained: TrainedRun) -> None:
    names = f"{trained.data}/high/003.png\n\n{trained.data}/low/004.png\n"
    ran = cli("classify", trained.data, "-", "--json", stdin=names)
    assert [line["label"] for line in ran.objects] == ["high", "low"] and ran.code == 0
