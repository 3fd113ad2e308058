"""`settings` shows where they live and what they mean, and changes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.settings import NAMES
from run_tui import main


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings live in these tests."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(path))
    return path


def test_all_are_shown_with_their_meaning(
    file: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["settings"]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert str(file) in out and "theme = dark" in out and "colour-blind" in out
    assert main(["settings", "--json"]) == 0
    objects = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert objects[0] == {"file": str(file)}
    assert [one["setting"] for one in objects[1:]] == list(NAMES)
    assert all(one["means"] and one["allowed"] and "value" in one for one in objects[1:])


def test_one_is_changed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "theme", "nord"]) == 0
    assert "theme = nord" in capsys.readouterr().out
    assert main(["settings", "keys.dashboard.pause", "z, f9"]) == 0
    assert "keys.dashboard.pause = z, f9" in capsys.readouterr().out
    assert file.read_text().count("nord") == 1
    assert main(["settings", "keys.dashboard.pause", "default"]) == 0
    assert "dashboard.pause" not in file.read_text()
    assert main(["settings", "keys.dashboard.pause"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "keys.dashboard.pause = default"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["them", "x"], "Did you mean theme?"),
        (["theme", "nrod"], "Did you mean nord?"),
        (["bell", "loud"], "Bell cannot be “loud”"),
        (["webhook", "ftp://a"], "Webhook cannot be"),
        (["keys.dash.pause", "x"], "There is no command “dash.pause”"),
        (["keys.dashboard.pause", "xx"], "There is no key “xx”"),
        (["keys.dashboard.pause", "s"], "two things on Training: pause/go, stop"),
        (["keys", "x"], "Which command?"),
        (["keys.dash.pause"], "There is no command “dash.pause”"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    words: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["settings", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 2
    assert not file.exists()


def test_what_is_wrong_in_the_file_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('them = 1\ntheme = "nrod"\n[keys]\ndashboard.pause = "s"\nhome.train = "t"\n')
    assert main(["settings"]) == 1
    err = capsys.readouterr().err
    assert "“them”" in err and "“nrod”" in err and "pause/go, stop" in err
    assert "home.train" not in err


def test_a_mistake_of_old_does_not_stop_a_change(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('[keys]\nnone.such = "s"\n')
    assert main(["settings", "keys.home.train", "t"]) == 1
    assert 'home.train" = "t"' in file.read_text()
