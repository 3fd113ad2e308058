"""Settings are checked where they are typed, and every setting can be written as a command."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core import config as cfg
from core.cli import _parser
from core.config import TrainConfig
from core.errors import UserError


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("split", " 80 ", 80),
        ("epochs", "10000", 10_000),
        ("learning_rate", "3e-4", 3e-4),
        ("learning_rate", ".5", 0.5),
        ("learning_rate", "auto", "auto"),
        ("batch_size", "64", 64),
        ("patience", "", None),
        ("patience", "5", 5),
        ("freeze", "Yes", True),
        ("device", "cuda:1", "cuda:1"),
        ("augment", "strong", "strong"),
        ("weights", "/a/b.safetensors", "/a/b.safetensors"),
    ],
)
def test_good_values_are_taken(name: str, typed: str, value: object) -> None:
    assert cfg.parse(name, typed) == value


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *[
            ("split", bad)
            for bad in ("0", "100", "-1", "1.5", "", "８０", "1_0", "0x10", "9" * 5000)
        ],
        *[("epochs", bad) for bad in ("0", "10001", "inf", "1e3", "many")],
        *[("learning_rate", bad) for bad in ("0", "nan", "inf", "-1", "1e999", "11")],
        *[("image_size", bad) for bad in ("62", "2000")],
        *[("device", bad) for bad in ("tpu", "cuda:", "cuda:9999", "CUDA")],
        *[("augment", "some"), ("freeze", "perhaps"), ("precision", "fp8"), ("weights", "")],
    ],
)
def test_bad_values_say_what_is_good(name: str, typed: str) -> None:
    with pytest.raises(UserError) as caught:
        cfg.parse(name, typed)
    assert cfg.allowed(name) in caught.value.title
    assert str(cfg.meta(name).title) in caught.value.title
    assert caught.value.hint


def test_the_shown_command_line_gives_the_same_settings_back() -> None:
    chosen: dict[str, Any] = {
        "split": 70,
        "epochs": 3,
        "image_size": 96,
        "batch_size": 32,
        "learning_rate": 0.00025,
        "weights": "imagenet",
        "freeze": True,
        "augment": "none",
        "patience": 4,
        "minutes": 30,
        "group": r"^(p\d+)_",
        "without": "bird/fish",
        "seed": 7,
        "device": "cpu",
        "gpus": 2,
        "precision": "fp32",
        "pixels": "memory",
        "on_finish": "echo 'a b' | mail me",
    }
    assert set(chosen) == set(cfg.SETTINGS)
    words = cfg.command_line(TrainConfig(data="some dir", out="m.safetensors", **chosen))
    parsed = _parser().parse_args(words)
    assert {name: getattr(parsed, name) for name in chosen} == chosen
    assert (parsed.dir, parsed.out) == ("some dir", "m.safetensors")


def test_defaults_are_not_repeated_on_the_command_line() -> None:
    assert cfg.command_line(TrainConfig(data="d")) == ["train", "d"]


def test_every_setting_says_what_it_means_and_may_be() -> None:
    for name in cfg.SETTINGS:
        assert cfg.meta(name).title and cfg.meta(name).description and cfg.allowed(name)
        default = cfg.default(name)
        assert cfg.parse(name, cfg.shown(default)) == default or math.isnan(default)


def test_freeze_without_weights_is_refused() -> None:
    with pytest.raises(UserError, match="Freeze"):
        TrainConfig(data="d", freeze=True).check()


def test_what_no_parser_let_through_is_refused_before_a_run_begins() -> None:
    values: list[object] = [[], "([", 5]
    for value in values:
        config = cfg.TrainConfig(data="/data", group=value)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="Group cannot be"):
            config.check()
