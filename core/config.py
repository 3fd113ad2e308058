"""What the user chose for a training run, checked before anything heavy loads.

Each field's `Meta` is the only place that says what the value means and how far it may go: the form,
`--help`, and the error messages all read it from here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from core.errors import UserError
from core.fields import Fields
from core.fields import shown as shown
from core.files import expanded
from core.text import safe_text

MODEL_NAME = "alexnet.safetensors"
# Where decoded pixels lie while training.
Tier = Literal["device", "memory", "disk"]
# Between the names of folders: no name can hold it.
BETWEEN_NAMES = "/"


def check_command(command: str) -> None:
    """Raise ValueError for what no shell could be given."""
    if b"\0" in command.encode():
        raise ValueError


def names_in(listed: str | None) -> tuple[str, ...]:
    """Return the names of folders that a setting lists.

    Raises:
        ValueError: one of them is no name.
    """
    names = tuple(listed.split(BETWEEN_NAMES)) if listed else ()
    if any(not name.strip() for name in names):
        raise ValueError
    return names


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one run. `data` is the folder of class folders; all else has a default."""

    data: str
    split: Annotated[
        int,
        Meta(
            title="Split",
            description="Percent of the pictures used for training; the rest is the test part.",
            ge=1,
            le=99,
            extra={"unit": "%"},
        ),
    ] = 80
    epochs: Annotated[
        int,
        Meta(
            title="Epochs",
            description="How often training goes through all its pictures.",
            ge=1,
            le=10_000,
        ),
    ] = 100
    image_size: Annotated[
        int,
        Meta(
            title="Image size",
            description="Side of the square that the network sees, in pixels. Smaller is faster.",
            ge=64,
            le=1024,
        ),
    ] = 224
    batch_size: (
        Annotated[
            int,
            Meta(
                title="Batch size",
                description="Pictures per optimizer step; auto fits it to the data and the device.",
                ge=1,
                le=65_536,
            ),
        ]
        | Literal["auto"]
    ) = "auto"
    learning_rate: (
        Annotated[
            float,
            Meta(
                title="Learning rate",
                description="The highest step size of the schedule; auto takes the recipe's.",
                gt=0.0,
                le=10.0,
            ),
        ]
        | Literal["auto"]
    ) = "auto"
    weights: Annotated[
        str,
        Meta(
            title="Weights",
            description="Where training starts: random, imagenet, or a weights file.",
            extra={"words": ("random", "imagenet", "the path of a weights file")},
        ),
    ] = "random"
    freeze: Annotated[
        bool,
        Meta(
            title="Freeze",
            description="Train only the last layer; wants imagenet weights or a weights file.",
        ),
    ] = False
    augment: Annotated[
        Literal["light", "none", "strong"],
        Meta(
            title="Augment",
            description="How much each picture is flipped, shifted, scaled and turned.",
        ),
    ] = "light"
    patience: (
        Annotated[
            int,
            Meta(
                title="Patience",
                description="Stop after this many epochs without a better validation accuracy.",
                ge=1,
                le=10_000,
            ),
        ]
        | None
    ) = None
    minutes: (
        Annotated[
            int,
            Meta(
                title="Minutes",
                description="Stop after the epoch in which so many minutes are over; resumed, it takes"
                " as many again.",
                ge=1,
                le=1_000_000,
            ),
        ]
        | None
    ) = None
    group: (
        Annotated[
            str,
            Meta(
                title="Group",
                description="Keeps together what a regular expression finds alike in file names.",
                max_length=1000,
                extra={
                    "words": ("none", "a regular expression such as ^[a-z]+[0-9]+"),
                    "check": re.compile,
                },
            ),
        ]
        | None
    ) = None
    without: (
        Annotated[
            str,
            Meta(
                title="Without",
                description="Class folders to leave out, by name, with / between several.",
                max_length=10_000,
                extra={
                    "words": ("none", "names of class folders as in bird/fish"),
                    "check": names_in,
                },
            ),
        ]
        | None
    ) = None
    seed: Annotated[
        int,
        Meta(
            title="Seed",
            description="Deals the split and draws all that is random; same seed, same run.",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 0
    device: Annotated[
        str,
        Meta(
            title="Device",
            description="Where to train: auto takes a GPU if there is one. auto, cpu, cuda, cuda:1.",
            pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$",
            extra={"words": ("auto", "cpu", "cuda", "cuda:0, cuda:1, …")},
        ),
    ] = "auto"
    gpus: Annotated[
        int,
        Meta(
            title="GPUs",
            description="How many GPUs of this machine share each step; with --device cpu, processes.",
            ge=1,
            le=64,
        ),
    ] = 1
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Meta(
            title="Precision",
            description="Arithmetic of the step; auto is bf16 on a GPU that has it, fp32 on a CPU.",
        ),
    ] = "auto"
    pixels: Annotated[
        Literal["auto", Tier],
        Meta(
            title="Pixels",
            description="Where the decoded pictures lie while training; auto is as near to the GPU as they fit.",
        ),
    ] = "auto"
    on_finish: (
        Annotated[
            str,
            Meta(
                title="On finish",
                description="A command for the shell once the run has ended, however it ended;"
                " it finds ALEXNET_TUI_RUN, _STATE, _MODEL and _TEST_ACCURACY in its environment."
                " With none the one in your settings is run.",
                max_length=4096,
                extra={"words": ("none", "a command for /bin/sh"), "check": check_command},
            ),
        ]
        | None
    ) = None
    out: Annotated[
        str | None,
        Meta(
            title="Model file",
            description="Where to write the model; default: alexnet.safetensors in the data folder.",
        ),
    ] = None

    def check(self) -> None:
        """Raise what the settings together forbid, or what one says of a file that is not so.

        Raises:
            UserError: with the setting to change.
        """
        for name in SETTINGS:
            value = getattr(self, name)
            if value != default(name):
                FIELDS.checked(name, value, value)
        if self.freeze and self.weights == "random":
            raise UserError(
                "Freeze needs weights that have learned something.",
                "Add --weights imagenet or --weights FILE, or leave out --freeze.",
            )
        if self.gpus > 1 and ":" in self.device:
            raise UserError(
                f"Device {self.device} is one GPU, and GPUs says {self.gpus}.",
                "Leave out --device: several GPUs are counted from the first. Or leave out --gpus.",
            )
        given = expanded(self.weights)
        # Unlike Path.is_file it takes any text.
        if self.weights not in ("random", "imagenet") and not os.path.isfile(given):  # noqa: PTH113
            raise UserError(
                f"There is no weights file at {safe_text(self.weights)}.",
                f"Weights are {allowed('weights')}.",
            )
        for path in (self.data, self.out or "", self.weights, self.without or ""):
            try:
                path.encode()
            except UnicodeEncodeError:
                raise UserError(
                    f"This path is not valid text: {safe_text(path)}.",
                    "Rename it; the names of files and classes inside a data folder may be anything.",
                ) from None

    def of_model(self) -> dict[str, Any]:
        """Return the settings that a model file tells: a command may hold secrets and is not of them."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        del told["on_finish"]
        return told

    def model_file(self) -> Path:
        """Return where the finished model goes."""
        target = expanded(self.out or self.data)
        return target / MODEL_NAME if target.is_dir() else target


# The settings a person may type, in the order of the form; `data` and `out` are paths, not settings.
FIELDS = Fields(TrainConfig)
SETTINGS = tuple(name for name in FIELDS.names if name not in ("data", "out"))
meta, choices, default = FIELDS.meta, FIELDS.choices, FIELDS.default
allowed, parse = FIELDS.allowed, FIELDS.parse


def changed(config: TrainConfig) -> dict[str, Any]:
    """Return the settings of `config` that differ from their defaults, by name."""
    values = ((name, getattr(config, name)) for name in SETTINGS)
    return {name: value for name, value in values if value != default(name)}


def command_line(config: TrainConfig) -> list[str]:
    """Return the words after `run_tui.py` that start the same training without a screen."""
    words = ["train", config.data]
    for name in (*SETTINGS, "out"):
        value = getattr(config, name)
        if value == default(name):
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(shown(value))
    return words
