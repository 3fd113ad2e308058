"""The settings file: whatever is in it, the program starts; whatever is changed, comments stay."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from core import settings as st
from core.errors import UserError
from core.settings import FIELDS, NAMES, Settings, read_settings, write_key, write_setting


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings live in these tests."""
    path = tmp_path / "config" / "settings.toml"
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(path))
    return path


def write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def test_without_a_file_the_defaults_count_and_nothing_is_said() -> None:
    assert read_settings() == (Settings(), ())


def test_an_empty_file_is_none(file: Path) -> None:
    write(file, "")
    assert read_settings() == (Settings(), ())
    write_setting("theme", "light")
    assert read_settings().settings.theme == "light"


def test_what_was_kept_is_read_again(file: Path) -> None:
    kept = {
        "theme": "nord",
        "colours": "colour-blind",
        "ascii": True,
        "mouse": True,
        "bell": False,
        "notice": "both",
        "on_finish": "echo 'done' | mail me",
        "webhook": "https://example.org/hook?key=1",
    }
    assert set(kept) == set(NAMES)
    for name, value in kept.items():
        write_setting(name, value)
    write_key("dashboard.pause", "z")
    assert read_settings() == (Settings(**kept, keys={"dashboard.pause": "z"}), ())  # type: ignore[arg-type]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for name in NAMES:
        write_setting(name, FIELDS.default(name))
    assert read_settings().settings == Settings(keys={"dashboard.pause": "z"})


def test_a_default_that_nobody_wrote_down_is_not_written(file: Path) -> None:
    write_setting("theme", "light")
    write_setting("bell", True)
    assert tomllib.loads(file.read_text()) == {"theme": "light"}


def test_comments_order_and_what_is_unknown_stay(file: Path) -> None:
    before = '# mine\ntheme = "nord"  # at night\n\n[keys]\ndashboard.pause = "x" # hand\n[other]\na = 1\n'
    write(file, before)
    write_setting("theme", "light")
    write_setting("ascii", True)
    write_key("dashboard.pause", "z")
    write_key("runs.watch", "o")
    text = file.read_text()
    assert text.startswith('# mine\ntheme = "light"  # at night\nascii = true\n')
    assert 'dashboard.pause = "z" # hand' in text and text.endswith("[other]\na = 1\n")
    assert read_settings().settings.keys == {"dashboard.pause": "z", "runs.watch": "o"}
    write_key("dashboard.pause", None)
    assert read_settings().settings.keys == {"runs.watch": "o"}


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text('theme = "nord"\n')
    file.parent.mkdir()
    file.symlink_to(real)
    write_setting("theme", "light")
    assert file.is_symlink() and real.read_text() == 'theme = "light"\n'


@pytest.mark.parametrize(
    "content",
    [
        b"theme = [[[",
        b"\xff\xfe",
        b"\x00",
        b"a = " + b"[" * 100_000,
        b"theme = 'dark'\ntheme = 'light'",
        b"[keys\n",
    ],
)
def test_c116_a_damaged_file_is_kept_aside_and_told_once(file: Path, content: bytes) -> None:
    write(file, content)
    settings, problems = read_settings()
    assert settings == Settings()
    assert len(problems) == 1 and "damaged" in problems[0].title
    aside = [path for path in file.parent.iterdir() if ".bad-" in path.name]
    assert len(aside) == 1 and aside[0].read_bytes() == content
    assert str(aside[0]) in problems[0].hint
    assert read_settings() == (Settings(), ())


def test_a_worker_leaves_a_damaged_file_for_whoever_can_be_told(file: Path) -> None:
    write(file, "theme = [")
    assert read_settings(set_aside=False).problems
    assert file.exists()


def test_two_damaged_files_are_both_kept(file: Path) -> None:
    for content in ("a = [", "b = ["):
        write(file, content)
        read_settings()
    aside = [path.read_text() for path in file.parent.iterdir()]
    assert sorted(aside) == ["a = [", "b = ["]


def test_c116_what_is_wrong_costs_only_itself(file: Path) -> None:
    write(
        file,
        'theme = nan\nbell = "no"\nmouse = "perhaps"\nthem = 1\nascii = 1\nwebhook = "ftp://x"\n'
        "on_finish = true\n[keys]\na = 1\n",
    )
    settings, problems = read_settings()
    assert settings == Settings(bell=False)
    said = "\n".join(f"{problem.title} {problem.hint}" for problem in problems)
    for words in ("Theme cannot be “nan”", "Mouse cannot be “perhaps”", "“them”", "mean theme?"):
        assert words in said
    for words in (
        "ASCII cannot be “1”",
        "Webhook cannot be",
        "On finish cannot be",
        "[keys] has “a”",
    ):
        assert words in said
    assert str(file) in said


def test_c116_a_huge_file_is_not_read(file: Path) -> None:
    write(file, b"#" * (st.MOST_BYTES + 1))
    settings, problems = read_settings()
    assert settings == Settings() and "larger than 1 MiB" in problems[0].title
    assert file.exists()


def test_what_is_no_file_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    assert "is not a regular file" in read_settings().problems[0].title
    with pytest.raises(UserError, match="cannot be kept"):
        write_setting("theme", "light")


def test_a_file_that_is_damaged_is_not_written_over(file: Path) -> None:
    write(file, "theme = [")
    with pytest.raises(UserError, match="cannot be kept"):
        write_setting("theme", "light")
    assert file.read_text() == "theme = ["


def test_a_key_is_not_kept_where_keys_are_no_table(file: Path) -> None:
    write(file, "keys = 3\n")
    with pytest.raises(UserError, match="keys is no table there"):
        write_key("runs.watch", "o")
    assert file.read_text() == "keys = 3\n"


def test_keys_may_be_written_in_three_ways(file: Path) -> None:
    write(file, '[keys]\n"a.b" = "x"\nc.d = "y,z"\n[keys.e]\nf = ["1", "2"]\n')
    assert read_settings() == (Settings(keys={"a.b": "x", "c.d": "y,z", "e.f": "1,2"}), ())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "http://",
        "//a",
        "a",
        "https://a b",
        "http://a:99999",
        "http://[",
        "https://a/\x1b",
        "https://é",
    ],
)
def test_an_address_that_cannot_be_told_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="Webhook cannot be"):
        FIELDS.parse("webhook", url)


def test_every_setting_says_what_it_means() -> None:
    for name in NAMES:
        meta = FIELDS.meta(name)
        assert meta.title and meta.description and FIELDS.allowed(name)
