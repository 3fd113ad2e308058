"""What the user chose for a training run, checked before anything heavy loads.

Each field's `Meta` is the only place that says what the value means and how far it may go: the form,
`--help`, and the error messages all read it from here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from core.errors import UserError
from core.files import expanded
from core.text import safe_text

MODEL_NAME = "alexnet.safetensors"


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one run. `data` is the folder of class folders; all else has a default."""

    data: str
    split: Annotated[
        int,
        Meta(
            title="Split",
            description="Percent of the pictures used for training; the rest is the test part.",
            ge=1,
            le=99,
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
    group: (
        Annotated[
            str,
            Meta(
                title="Group",
                description="Keeps together what a regular expression finds alike in file names.",
                max_length=1000,
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
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Meta(
            title="Precision",
            description="Arithmetic of the step; auto is bf16 on a GPU that has it, fp32 on a CPU.",
        ),
    ] = "auto"
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
                _checked(name, value, value)
        if self.freeze and self.weights == "random":
            raise UserError(
                "Freeze needs weights that have learned something.",
                "Add --weights imagenet or --weights FILE, or leave out --freeze.",
            )
        given = os.path.expanduser(self.weights)  # noqa: PTH111  # takes any text, unlike pathlib
        if self.weights not in ("random", "imagenet") and not os.path.isfile(given):  # noqa: PTH113
            raise UserError(
                f"There is no weights file at {safe_text(self.weights)}.",
                f"Weights are {allowed('weights')}.",
            )
        for path in (self.data, self.out or "", self.weights):
            try:
                path.encode()
            except UnicodeEncodeError:
                raise UserError(
                    f"This path is not valid text: {safe_text(path)}.",
                    "Rename it; the names of files and classes inside a data folder may be anything.",
                ) from None

    def model_file(self) -> Path:
        """Return where the finished model goes."""
        target = expanded(self.out or self.data)
        return target / MODEL_NAME if target.is_dir() else target


# The settings a person may type, in the order of the form; `data` and `out` are paths, not settings.
SETTINGS = tuple(name for name in TrainConfig.__struct_fields__ if name not in ("data", "out"))
_HINTS: dict[str, Any] = get_type_hints(TrainConfig, include_extras=True)
_DIGITS = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?|\.[0-9]{1,12}")


def _parts(kind: Any) -> list[Any]:
    """Return `kind` and all that it is made of, such as the sides of a union."""
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner))]


def meta(name: str) -> Meta:
    """Return title, description and limits of the setting `name`."""
    return next(part for part in _parts(_HINTS[name]) if isinstance(part, Meta))


def choices(name: str) -> tuple[str, ...]:
    """Return the words that the setting `name` may take, none if it is a number or free text."""
    literals = (part for part in _parts(_HINTS[name]) if get_origin(part) is Literal)
    return tuple(word for literal in literals for word in get_args(literal))


def default(name: str) -> Any:
    """Return the value that the setting `name` has when nobody says otherwise."""
    fields = TrainConfig.__struct_fields__
    defaults = TrainConfig.__struct_defaults__
    return defaults[fields.index(name) - len(fields)]


def allowed(name: str) -> str:
    """Return in words what the setting `name` accepts, such as `1 to 99`."""
    limits, words = meta(name), list(choices(name))
    if limits.ge is not None and limits.le is not None:
        words.insert(0, f"{limits.ge:,} to {limits.le:,}")
    elif limits.gt is not None and limits.le is not None:
        words.insert(0, f"more than {limits.gt:g}, up to {limits.le:g}")
    if name == "freeze":
        words = ["yes", "no"]
    if name == "device":
        words = ["auto", "cpu", "cuda", "cuda:0, cuda:1, …"]
    if name == "group":
        words = ["none", "a regular expression such as ^[a-z]+[0-9]+"]
    if name == "weights":
        words = ["random", "imagenet", "the path of a weights file"]
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]


def parse(name: str, typed: str) -> Any:
    """Return the value of the setting `name` from what a person typed.

    Stricter than `int()` and `float()`, which accept `1_000`, full-width digits and `nan`.

    Raises:
        UserError: the text is not a value of this setting; the title says what is.
    """
    text = typed.strip()
    if name == "split":
        text = text.removesuffix("%").rstrip()
    kinds = [part for part in _parts(_HINTS[name]) if isinstance(part, type)]
    value: Any = None
    if type(None) in kinds and text in ("", "none"):
        return None
    if text in choices(name):
        value = text
    elif bool in kinds:
        value = {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())
    elif int in kinds and _DIGITS.fullmatch(text):
        value = int(text)
    elif float in kinds and _DECIMAL.fullmatch(text):
        value = float(text)
    elif str in kinds:
        value = text or None
    return _checked(name, value, typed)


def _checked(name: str, value: Any, typed: object) -> Any:
    try:
        if value is None:
            raise msgspec.ValidationError
        checked = msgspec.convert(value, _HINTS[name])
        if name == "group":
            re.compile(checked)
        return checked
    except (msgspec.ValidationError, re.error, RecursionError, OverflowError):
        title = meta(name).title
        raise UserError(
            f"{title} cannot be “{typed}”. It is {allowed(name)}.",
            f"Give {title} as {allowed(name)}; the default is {shown(default(name))}.",
        ) from None


def shown(value: object) -> str:
    """Return a setting's value as the form and the command line write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
