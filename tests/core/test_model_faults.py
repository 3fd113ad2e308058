"""Model files made to hurt: each is refused in one sentence, before any tensor is made."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from core.errors import UserError
from core.model import bundle
from core.model.card import NO_HASH, Card, Preprocessing, Results, digest, hash_position, model_info

Header = dict[str, Any]


def card(classes: list[str]) -> str:
    made = Card(
        classes=classes,
        preprocessing=Preprocessing(stored_size=48, channels=1, image_size=64),
        settings={},
        results=Results(epochs=1, best_epoch=1, validation_accuracy=0.5),
        split_hash="x",
    )
    return msgspec.json.encode(made).decode()


def signed(header: str, data: bytes = b"") -> bytes:
    """Return a file with `header` and the hash that it should have: its maker knows how."""
    text = header.encode()
    file = bytearray(struct.pack("<Q", len(text)) + text + data)
    at = hash_position(file)
    file[at : at + len(NO_HASH)] = digest(file)
    return bytes(file)


def metadata(classes: list[str] | None = None) -> Header:
    described = card(classes or ["a", "b"])
    return {"__metadata__": {"alexnet-tui": described, "blake2b": NO_HASH.decode()}}


def compact(header: Header) -> str:
    return json.dumps(header, separators=(",", ":"))


def tensor(shape: list[int], start: int, end: int, kind: str = "F32") -> Header:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


def twice(header: str) -> str:
    """Return `header` with a tensor that is named twice."""
    one = compact({"classifier.6.bias": tensor([2], 0, 8)})[1:-1]
    return f"{header[:-1]},{one},{one}}}"


TRICKS: dict[str, Callable[[], bytes]] = {
    "a length of 2^63": lambda: struct.pack("<Q", 2**63) + b"{}",
    "a length beyond the end": lambda: struct.pack("<Q", 10_000) + b"{}",
    "a length of nothing": lambda: struct.pack("<Q", 0),
    "deep JSON": lambda: struct.pack("<Q", 200_000) + b'{"a":' + b"[" * 199_995,
    "no JSON": lambda: struct.pack("<Q", 9) + b"{nothing}",
    "no tensors": lambda: signed(compact(metadata())),
    "a tensor named twice": lambda: signed(twice(compact(metadata())), bytes(8)),
    "a shape that overflows": lambda: signed(
        compact(metadata() | {"w": tensor([2**62, 4], 0, 8)}), bytes(8)
    ),
    "a huge shape of nothing": lambda: signed(
        compact(metadata() | {"w": tensor([0, 2**60], 0, 0)})
    ),
    "tensors that overlap": lambda: signed(
        compact(metadata() | {"v": tensor([2], 0, 8), "w": tensor([2], 4, 12)}), bytes(12)
    ),
    "a hole": lambda: signed(compact(metadata() | {"w": tensor([2], 8, 16)}), bytes(16)),
    "a name with an escape code": lambda: signed(
        compact(metadata() | {"\x1b]0;x\x07": tensor([2], 0, 8)}), bytes(8)
    ),
    "one class": lambda: signed(
        compact(metadata(["a", "b"])).replace('[\\"a\\",\\"b\\"]', '[\\"a\\"]')
    ),
    "a class named twice": lambda: signed(compact(metadata(["a", "a"]))),
    "an input too small": lambda: signed(
        compact(metadata()).replace('\\"image_size\\":64', '\\"image_size\\":62')
    ),
    "a square of gigapixels": lambda: signed(
        compact(metadata()).replace('\\"stored_size\\":48', '\\"stored_size\\":99999')
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_c061_header_tricks_are_refused_at_once(tmp_path: Path, trick: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(TRICKS[trick]())
    with pytest.raises(UserError) as caught:
        bundle.load(path)
    assert caught.value.title.isprintable() and caught.value.hint


def test_c060_a_zip_bomb_by_another_name_is_not_unpacked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(50_000_000))
    for name in ("m.pt", "m.safetensors"):
        (tmp_path / name).write_bytes(buffer.getvalue())
        began = time.monotonic()
        with pytest.raises(UserError):
            bundle.load(tmp_path / name)
        assert time.monotonic() - began < 10


def test_c059_a_pickle_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    for name in ("m.pt", "m.pth", "m.bin", "m.ckpt", "m.pkl", "m.pickle", "m.safetensors"):
        (tmp_path / name).write_bytes(code)
        for read in (bundle.load, model_info):
            with pytest.raises(UserError):
                read(tmp_path / name)
    assert not marker.exists()


def test_c062_halves_and_other_kinds_of_numbers_are_refused(tmp_path: Path) -> None:
    shapes = {"w": np.zeros(2, np.float16)}
    data = safetensors.numpy.save(shapes, metadata=metadata()["__metadata__"])
    file = bytearray(data)
    at = hash_position(file)
    file[at : at + len(NO_HASH)] = digest(file)
    (tmp_path / "m.safetensors").write_bytes(file)
    with pytest.raises(UserError, match="not an AlexNet's"):
        bundle.load(tmp_path / "m.safetensors")


def test_class_names_with_escape_codes_come_out_as_they_are_and_are_shown_safely(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(signed(compact(metadata(["a\x1b[31m", "b"]))))
    assert model_info(path).classes[0] == "a\x1b[31m"
