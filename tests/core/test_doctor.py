"""The doctor names every file that will not be trained on, and changes nothing."""

from __future__ import annotations

from pathlib import Path

from tests.core.conftest import cli, write_dataset


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
