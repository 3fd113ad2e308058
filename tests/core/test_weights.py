"""A weights file is judged by its name and its head before any picture is decoded."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.config import TrainConfig
from core.engine import Engine
from core.errors import UserError
from core.model import alexnet
from core.model.bundle import alexnet_shapes, header
from core.model.place import check_weights
from tests.core.conftest import cli
from tests.core.test_cli_errors import refused

Shapes = dict[str, tuple[int, ...]]


def written(path: Path, shapes: Shapes) -> Path:
    """Write a weights file of zeros that takes no room on the disk."""
    sizes: list[tuple[str, str, Sequence[int], int]] = [
        (name, "F32", shape, 4 * math.prod(shape)) for name, shape in shapes.items()
    ]
    head = header(sizes, {"format": "pt"})
    path.write_bytes(head)
    os.truncate(path, len(head) + sum(size for *_, size in sizes))
    return path


def both_say(path: Path) -> str:
    """Return why the file is refused, which is the same before the start and in the training."""
    with pytest.raises(UserError) as before:
        check_weights(path)
    with pytest.raises(UserError) as then:
        alexnet.build(2, str(path))
    assert (before.value.title, before.value.hint) == (then.value.title, then.value.hint)
    return before.value.title


def test_an_alexnet_of_other_classes_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", alexnet_shapes(1000))
    check_weights(path)
    alexnet.build(2, str(path))
    check_weights(path.rename(tmp_path / "M.SAFETENSORS"))


def test_what_its_head_tells_is_told(tmp_path: Path) -> None:
    shapes = alexnet_shapes(2)
    path = tmp_path / "m.safetensors"
    written(path, {name: shape for name, shape in shapes.items() if name != "features.3.bias"})
    assert both_say(path).endswith("are not an AlexNet's.")
    written(path, shapes | {"features.0.weight": (64, 1, 11, 11)})
    assert both_say(path).endswith("are not an AlexNet's.")
    written(path, {"w": (3,)})
    assert both_say(path).endswith("are not an AlexNet's.")
    whole = written(path, shapes).stat().st_size
    os.truncate(path, whole - 1)
    assert both_say(path).endswith("is damaged.")
    for content in (b"x", b"\x80\x04 pickle", b"\xff" * 8 + b"{}", b"\x02" + b"\0" * 7 + b"{,"):
        path.write_bytes(content)
        assert both_say(path).endswith("is damaged.")
    deep = b"{" + b'"a":{' * 200_000
    path.write_bytes(len(deep).to_bytes(8, "little") + deep)
    assert both_say(path).endswith("is damaged.")
    path.write_bytes(b"")
    assert both_say(path).endswith("is empty.")
    path.unlink()
    os.mkfifo(path)
    assert both_say(path).endswith("is not a regular file.")
    os.truncate(written(tmp_path / "big.safetensors", shapes), 2**31 + 1)
    assert both_say(tmp_path / "big.safetensors").endswith("is larger than 2048 MiB.")
    pickle = tmp_path / "m.pth"
    pickle.write_bytes(b"\x80\x04")
    assert "only safetensors files are" in both_say(pickle)


async def test_it_is_told_before_the_start_and_quickly(dataset: Path, tmp_path: Path) -> None:
    pickle = tmp_path / "m.pt"
    pickle.write_bytes(b"\x80\x04")
    refused(cli("train", dataset, "--weights", pickle), "is not opened")
    path = written(tmp_path / "m.safetensors", {"w": (3,)})
    refused(cli("train", dataset, "--weights", path, "--freeze"), "are not an AlexNet's")
    written(path, alexnet_shapes(3))
    began = time.monotonic()
    await Engine().check(TrainConfig(data=str(dataset), weights=str(path)))
    assert time.monotonic() - began < 5
