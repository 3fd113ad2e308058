"""In which formats a model can be written for use elsewhere; free of torch, so that a command may ask."""

from __future__ import annotations

from typing import Literal

import msgspec

Format = Literal["onnx", "torchscript", "state-dict"]
# How the files are named.
ENDINGS: dict[Format, str] = {
    "onnx": ".onnx",
    "torchscript": ".torchscript.pt",
    "state-dict": ".state-dict.safetensors",
}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and what it takes: `input` is the shape of a batch of N, empty for weights alone."""

    model: str
    format: Format
    file: str
    classes: list[str]
    input: list[int | str]
