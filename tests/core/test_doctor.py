"""The doctor names every file that will not be trained on, and changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.core.conftest import cli, picture, write_dataset


def test_the_report_is_the_contracts(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=6)
    (data / "high" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (data / "high" / "copy.png").write_bytes((data / "high" / "000.png").read_bytes())
    (data / "low" / "both.png").write_bytes((data / "high" / "001.png").read_bytes())
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    ran = cli("doctor", data, "--json")
    (report,) = ran.objects
    assert ran.code == 0
    assert report["images"] == 14 and report["classes"] == {"high": 7, "low": 7}
    assert (
        report["duplicates"] == 2 and report["in_two_classes"] == 1 and report["trainable"] is True
    )
    (left_out,) = report["left_out"]
    assert left_out["path"] == "high/cut.jpg" and left_out["reason"]
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    said = cli("doctor", data).out
    assert "high/cut.jpg" in said and "can be trained on" in said


def test_what_cannot_be_trained_on_is_said_with_exit_code_2(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    for path in (data / "low").iterdir():
        path.write_bytes((data / "low" / "000.png").read_bytes())
    ran = cli("doctor", data, "--json")
    assert ran.code == 2 and ran.objects[0]["trainable"] is False
    assert "low" in ran.objects[0]["problem"]
    missing = cli("doctor", tmp_path / "none")
    assert missing.code == 2 and missing.err.startswith("error: There is no folder")


def report_on(data: Path) -> dict[str, Any]:
    report: dict[str, Any] = cli("doctor", data, "--json").objects[-1]
    return report


def finding(report: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = (finding for finding in report["findings"] if finding["kind"] == kind)
    return dict(found)


def test_a_folder_of_nothing_but_broken_files_names_each_of_them(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=3)
    for path in data.rglob("*.png"):
        path.write_bytes(b"nothing")
    ran = cli("doctor", data, "--json")
    (report,) = ran.objects
    assert ran.code == 2 and report["images"] == 0 and not report["trainable"]
    assert len(report["left_out"]) == 6 and "None of the 6" in report["problem"]
    assert finding(report, "unreadable")["level"] == "warning"
    assert cli("train", data).err.startswith("error: None of the 6 pictures can be read.")


def test_copies_near_copies_and_two_labels_name_their_files(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=30)
    first = Image.open(data / "high" / "000.png")
    first.resize((58, 58)).save(data / "high" / "smaller.png")
    first.save(data / "high" / "again.jpg", quality=85)
    shutil.copy(data / "high" / "001.png", data / "high" / "copy.png")
    shutil.copy(data / "high" / "002.png", data / "low" / "wrong.png")
    report = report_on(data)
    assert report["near_copies"] == 2 and report["duplicates"] == 2
    near = ["high/000.png", "high/again.jpg", "high/smaller.png"]
    assert finding(report, "near copies")["groups"] == [near]
    exact = [["high/001.png", "high/copy.png"], ["high/002.png", "low/wrong.png"]]
    assert finding(report, "copies")["groups"] == exact
    assert finding(report, "two labels")["groups"] == [exact[1]]
    shown = cli("doctor", data).out
    assert "high/001.png = high/copy.png" in shown


def test_the_parts_are_those_of_the_training(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=20)
    report = report_on(data)
    assert report["parts"] == [[14, 2, 4], [14, 2, 4]]
    assert report["leaked"] == 0 and report["dealt"] == []


def test_a_folder_dealt_into_parts_is_used_as_dealt(tmp_path: Path) -> None:
    for part, count in (("train", 10), ("val", 4), ("test", 5)):
        write_dataset(tmp_path / "raw", per_class=30)
        for name in ("high", "low"):
            (tmp_path / "d" / part / name).mkdir(parents=True)
            start = {"train": 0, "val": 10, "test": 14}[part]
            for i in range(start, start + count):
                source = tmp_path / "raw" / name / f"{i:03}.png"
                shutil.copy(source, tmp_path / "d" / part / name)
        shutil.rmtree(tmp_path / "raw")
    shutil.copy(
        tmp_path / "d" / "test" / "low" / "014.png", tmp_path / "d" / "train" / "low" / "x.png"
    )
    report = report_on(tmp_path / "d")
    assert report["classes"] == {"high": 19, "low": 20}
    assert report["parts"] == [[10, 4, 5], [10, 4, 5]]
    assert report["dealt"] == ["train", "validation", "test"] and report["leaked"] == 1
    assert {"path": "train/low/x.png", "reason": "is a copy of test/low/014.png"} in report[
        "left_out"
    ]


def test_uneven_classes_show_what_the_larger_alone_would_score(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=20)
    for path in sorted((data / "low").iterdir())[5:]:
        path.unlink()
    assert (
        "always saying high would be right in 80.0%" in finding(report_on(data), "balance")["text"]
    )


def test_frames_of_one_film_are_dealt_all_the_same(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=1)
    for name in ("high", "low"):
        frame = np.asarray(Image.open(data / name / "000.png"))
        for i in range(1, 30):
            noise = np.random.default_rng(i).normal(0, 2, frame.shape)
            next_frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
            Image.fromarray(next_frame).save(data / name / f"{i:03}.png")
    report = report_on(data)
    assert report["trainable"] and finding(report, "alike")["level"] == "warning"
    assert report["parts"] == [[22, 2, 6], [22, 2, 6]]


def test_classes_that_read_alike_are_told_apart(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=3)
    (data / "high").rename(data / "caf\\xe9")
    (data / "low").rename(data / os.fsdecode(b"caf\xe9"))
    report = report_on(data)
    assert set(report["classes"]) == {"caf\\xe9", "caf\\xe9 (2)"} and len(report["parts"]) == 2
    assert cli("doctor", data).code == 0


def test_a_class_all_alike_does_not_undo_the_care_for_the_others(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=40)
    (data / "alike").mkdir()
    for quality in (60, 80, 90):
        Image.open(data / "low" / "000.png").save(
            data / "alike" / f"{quality}.jpg", quality=quality
        )
    for i in range(10):
        Image.open(data / "high" / f"{i:03}.png").save(data / "high" / f"copy{i}.jpg", quality=90)
    report = report_on(data)
    assert report["trainable"] and report["near_copies"] >= 13
    near = finding(report, "near copies")
    assert near["level"] == "warning" and "too many in alike" in near["text"]
    assert "test pictures have one in training" in near["text"]


def test_a_pattern_that_takes_for_ever_is_refused(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=3)
    (data / "high" / "000.png").rename(data / "high" / ("a" * 40 + ".png"))
    ran = cli("train", data, "--group", "(a+)+$", "--epochs", 1)
    assert ran.code == 2 and "takes too long" in ran.err and len(ran.err.splitlines()) == 2


def test_a_file_that_the_system_refuses_is_asked_for_again(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    gone = data / "high" / "gone.png"
    gone.symlink_to(data / ".kept" / "gone.png")
    (data / ".kept").mkdir()
    assert "cannot be opened" in str(report_on(data)["left_out"])
    picture(0, seed=5).save(data / ".kept" / "gone.png")
    assert report_on(data)["images"] == 9
