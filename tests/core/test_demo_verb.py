"""The built-in example by its command."""

from __future__ import annotations

from pathlib import Path

from tests.core.conftest import cli


def test_the_example_is_drawn_and_never_over_something(tmp_path: Path) -> None:
    target = tmp_path / "faces"
    ran = cli("demo", target, "--images", 24, "--seed", 3, "--json")
    assert ran.code == 0, ran
    assert ran.objects == [
        {"folder": str(target), "images": 24, "classes": {"happy": 12, "sad": 12}}
    ]
    again = cli("demo", target, "--images", 24)
    assert again.code == 2 and again.err.startswith("error: ") and len(again.err.splitlines()) == 2
    other = cli("demo", tmp_path / "other", "--images", 20)
    assert other.code == 0 and "20 pictures" in other.out
