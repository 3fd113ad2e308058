"""Kaggle's table of faces becomes class folders; what is wrong in it is named by its line."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from tests.core.conftest import cli

KAGGLE = ("emotion,pixels,Usage", "{emotion},{pixels},{usage}")
ICML = ("emotion, Usage, pixels", "{emotion},{usage},{pixels}")


def face(seed: int) -> list[int]:
    return [Random(f"{seed}/{i}").randrange(256) for i in range(48 * 48)]


def table(path: Path, form: tuple[str, str], *more: str) -> Path:
    rows = [
        form[1].format(emotion=k % 7, pixels=" ".join(map(str, face(k))), usage="Training")
        for k in range(14)
    ]
    path.write_text("\n".join([form[0], *rows, *more]) + "\n")
    return path


@pytest.mark.parametrize("form", [KAGGLE, ICML])
def test_both_tables_become_class_folders(tmp_path: Path, form: tuple[str, str]) -> None:
    source = table(tmp_path / "t.csv", form)
    ran = cli("import-fer2013", source, tmp_path / "d", "--classes", "happy,sad", "--json")
    assert ran.code == 0, ran
    assert ran.objects[-1]["classes"] == {"happy": 2, "sad": 2}
    (first, _) = sorted((tmp_path / "d" / "happy").iterdir())
    # Happy is 3, in the fifth line of the file.
    assert first.name == "training-000005.png"
    assert (np.asarray(Image.open(first)).ravel() == face(3)).all()
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"happy", "sad"}


def test_all_seven_classes_without_a_choice(tmp_path: Path) -> None:
    ran = cli("import-fer2013", table(tmp_path / "t.csv", KAGGLE), tmp_path / "d")
    assert ran.code == 0 and "14 pictures" in ran.out
    assert len(list((tmp_path / "d").iterdir())) == 7


BAD_ROWS = {
    "3,1 2 3,Training": "has 3 pixels",
    f"9,{' '.join(['1'] * 2304)},Training": "no emotion",
    f"3,{' '.join(['256'] * 2304)},Training": "from 0 to 255",
    f"3,{' '.join(['-1'] * 2304)},Training": "from 0 to 255",
    f"3,{' '.join(['1'] * 2303)} {'9' * 5000},Training": "from 0 to 255",
    "3": "has 1 cells",
    "\0": "has 1 cells",
}


def test_bad_rows_are_named_by_line_and_left_out(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", KAGGLE, *BAD_ROWS)
    ran = cli("import-fer2013", source, tmp_path / "d", "--json")
    assert ran.code == 1
    (said,) = ran.objects
    assert said["bad_rows"] == len(BAD_ROWS) and sum(said["classes"].values()) == 14
    for row, (line, reason) in zip(said["left_out"], enumerate(BAD_ROWS.values(), 16), strict=True):
        assert row["line"] == line and reason in row["reason"]
    shown = cli("import-fer2013", source, tmp_path / "e").out
    assert "line 16 has 3 pixels" in shown and "… and 2 more" in shown


def test_odd_headers_and_endless_lines(tmp_path: Path) -> None:
    pixels = " ".join(map(str, face(1)))
    source = tmp_path / "t.csv"
    lines = [
        'a,a,"emotion" , "pixels"',
        f'x,y,3,"{pixels}"',
        "x,y,3",
        "z" * 300_000,
        "",
        f"x,y,3,{pixels}",
    ]
    source.write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    ran = cli("import-fer2013", source, tmp_path / "d", "--classes", "happy", "--json")
    (said,) = ran.objects
    assert ran.code == 1 and said["classes"] == {"happy": 2}
    assert [row["line"] for row in said["left_out"]] == [3, 4]
    names = sorted(path.name for path in (tmp_path / "d" / "happy").iterdir())
    assert names == ["face-000002.png", "face-000006.png"]
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in cli("import-fer2013", tmp_path / "pipe.csv", tmp_path / "e").err


def test_what_is_no_table_leaves_nothing_behind(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    few = tmp_path / "few.csv"
    few.write_text(f"{KAGGLE[0]}\n3,{' '.join(['7'] * 2304)},Training\n")
    given: list[tuple[object, ...]] = [
        (other, tmp_path / "d"),
        (few, tmp_path / "d"),
        (tmp_path / "none.csv", tmp_path / "d"),
        (few, tmp_path / "d", "--classes", "happy,happy"),
        (few, tmp_path / "d", "--classes", "cheerful"),
    ]
    for words in given:
        ran = cli("import-fer2013", *words)
        assert ran.code == 2 and len(ran.err.splitlines()) == 2, ran
        assert not (tmp_path / "d").exists()


def test_it_never_writes_where_something_is(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", KAGGLE)
    ran = cli("import-fer2013", source, tmp_path)
    assert ran.code == 2 and "not empty" in ran.err
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
