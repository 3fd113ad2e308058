"""Names from outside are shown whole, on one line, and cannot steer the terminal."""

from __future__ import annotations

import os

import pytest

from core.text import duration, native, portable, readable, safe_text

HOSTILE = [
    "\x1b]0;title\x07",
    "a\nb",
    "a\rb",
    "\x9b31m",
    "\u202egnp.exe",
    "a\u200bb",
    "\x7f",
    "\x00",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_controls_become_visible_escapes(name: str) -> None:
    shown = safe_text(name)
    assert shown.isprintable() and len(shown) > len(name) - 1
    assert "\\" in shown


def test_undecodable_bytes_of_a_name_are_shown_as_bytes() -> None:
    assert safe_text(os.fsdecode(b"bad\xff.png")) == "bad\\xff.png"


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("happy", "café", "日本", "naïve 😀", "a[/]b"):
        assert safe_text(name) == name


def test_long_names_are_cut_to_the_width() -> None:
    assert safe_text("x" * 50, 10) == "x" * 9 + "…"
    assert safe_text("short", 10) == "short"


@pytest.mark.parametrize("raw", [b"plain.png", b"bad\xff.png", "ünïcode".encode(), b"\xfe\xff"])
def test_any_file_name_survives_json(raw: bytes) -> None:
    name = os.fsdecode(raw)
    portable(name).encode()
    assert native(portable(name)) == name
    readable(name).encode()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (45, "45 s"), (840, "14 min"), (7500, "2 h 05 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
