"""A model file is whole and ours, or it is refused: no bit of it is taken on trust."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from core.errors import UserError
from core.model import bundle
from core.model.card import Card, Preprocessing, Results, model_info, read_model

CLASSES = ["happy", "sad"]


def card(**changes: object) -> Card:
    values: dict[str, object] = {
        "classes": CLASSES,
        "preprocessing": Preprocessing(stored_size=48, channels=1, image_size=64),
        "settings": {"data": "/data", "epochs": 3},
        "results": Results(epochs=3, best_epoch=2, validation_accuracy=0.9),
        "split_hash": "abc",
    }
    return Card(**(values | changes))  # type: ignore[arg-type]  # a test's own values


def small_tensors() -> bundle.Tensors:
    """Return tensors of the right names but tiny, for what does not look at shapes."""
    return {name: np.full((2,), 0.5, np.float32) for name in bundle.alexnet_shapes(2)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete model file."""
    shapes = bundle.alexnet_shapes(2)
    tensors = {name: np.full(shape, 0.25, np.float32) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("model") / "alexnet.safetensors"
    bundle.save(path, card(), tensors)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        bundle.load(path)
    assert caught.value.hint
    return caught.value.title


def test_a_model_comes_back_as_it_was_saved(whole: Path) -> None:
    model = bundle.load(whole)
    assert model.card.classes == CLASSES
    assert model.card.preprocessing == card().preprocessing
    assert all((array == 0.25).all() for array in model.tensors.values())
    assert bundle.load(whole.parent).path == whole


def test_other_programs_can_read_the_weights(whole: Path) -> None:
    tensors = safetensors.numpy.load_file(whole)
    assert tensors["classifier.6.weight"].shape == (2, 4096)


def test_info_needs_no_weights_in_memory(whole: Path) -> None:
    info = model_info(whole)
    assert info.classes == ("happy", "sad") and info.best_epoch == 2 and info.test is None


def test_c057_any_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    bundle.save(path, card(), small_tensors())
    good = path.read_bytes()
    assert read_model(path)[2].classes == CLASSES
    draw = random.Random(0)
    bits = [draw.randrange(len(good) * 8) for _ in range(2000)] + list(range(64 * 8))
    for bit in bits:
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        with pytest.raises(UserError):
            read_model(path)


def test_c056_any_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    bundle.save(path, card(), small_tensors())
    good = path.read_bytes()
    for length in range(0, len(good), 13):
        path.write_bytes(good[:length])
        with pytest.raises(UserError):
            read_model(path)


def test_c059_other_kinds_of_file_are_not_opened(tmp_path: Path) -> None:
    for name in ("model.pt", "model.pth", "model.pkl"):
        (tmp_path / name).write_bytes(b"\x80\x04anything")
        assert "can run code" in refusal(tmp_path / name)
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04\x95anything at all")
    assert "no model file" in refusal(tmp_path / "pickle.safetensors")


def test_weights_of_another_program_are_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"w": np.zeros(3, np.float32)}, path)
    assert "not made by this program" in refusal(path)


def test_c061_wrong_shapes_are_refused(tmp_path: Path) -> None:
    bundle.save(tmp_path / "m.safetensors", card(), small_tensors())
    assert "not an AlexNet's" in refusal(tmp_path / "m.safetensors")


def test_c062_values_that_are_not_numbers_are_refused(whole: Path, tmp_path: Path) -> None:
    tensors = dict(bundle.load(whole).tensors)
    tensors["classifier.6.bias"] = np.array([0.0, np.nan], np.float32)
    bundle.save(tmp_path / "m.safetensors", card(), tensors)
    assert "not numbers" in refusal(tmp_path / "m.safetensors")


def test_c063_classes_that_do_not_fit_the_weights_are_refused(whole: Path, tmp_path: Path) -> None:
    three = card(classes=["a", "b", "c"])
    bundle.save(tmp_path / "m.safetensors", three, bundle.load(whole).tensors)
    assert "not an AlexNet's" in refusal(tmp_path / "m.safetensors")


def test_c058_a_newer_format_says_so(tmp_path: Path) -> None:
    bundle.save(tmp_path / "m.safetensors", card(format_version=9), small_tensors())
    assert "version 9" in refusal(tmp_path / "m.safetensors")


def test_missing_models_say_where_to_get_one(tmp_path: Path) -> None:
    assert "No model was saved" in refusal(tmp_path)
    assert "no model file at" in refusal(tmp_path / "none.safetensors")
    assert refusal(tmp_path / "a\0b.safetensors")


def test_the_description_is_plain_json_in_the_header(whole: Path) -> None:
    data = whole.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["alexnet-tui"])["classes"] == CLASSES
