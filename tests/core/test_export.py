"""A model for use elsewhere answers there as it does here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torchvision.models import alexnet as torchvisions

from core.model import alexnet, bundle
from core.model.card import Card, Preprocessing, Results
from core.model.exported import Standalone, export
from core.prediction.predictor import Predictor
from tests.core.conftest import ROOT, TrainedRun, cli

SPECS = (
    Preprocessing(stored_size=48, channels=1, image_size=64, mirrored=True, temperature=0.7),
    Preprocessing(stored_size=100, channels=3, image_size=96),
    Preprocessing(stored_size=70, channels=3, image_size=128, mirrored=True),
    # The last map is larger than what the first dense layer reads, and not a multiple of it.
    Preprocessing(stored_size=300, channels=3, image_size=288, temperature=2.0),
)


def model_of(spec: Preprocessing, folder: Path) -> Path:
    torch.manual_seed(spec.image_size)
    network = alexnet.build(3)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            # Far from even, so that answers differ.
            nn.init.normal_(module.weight, std=0.02)
    card = Card(
        format_version=spec.version,
        classes=["a", "b", "ü\x1b"],
        preprocessing=spec,
        settings={},
        results=Results(epochs=1, best_epoch=1, validation_accuracy=1.0),
        split_hash="",
    )
    path = folder / "model.safetensors"
    bundle.save(path, card, alexnet.to_tensors(network.state_dict()))
    return path


def squares(spec: Preprocessing, count: int) -> np.ndarray:
    draw = np.random.default_rng(spec.stored_size)
    return draw.integers(
        0, 256, (count, spec.channels, spec.stored_size, spec.stored_size), np.uint8
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.image_size))
def test_torchscript_answers_as_classify_does(spec: Preprocessing, tmp_path: Path) -> None:
    path = model_of(spec, tmp_path)
    found = export(path, "torchscript", tmp_path / "m.pt")
    assert found.input == ["N", spec.channels, spec.stored_size, spec.stored_size]
    extra = {"card.json": ""}
    there = torch.jit.load(tmp_path / "m.pt", _extra_files=extra)  # type: ignore[no-untyped-call]
    assert json.loads(extra["card.json"])["classes"] == ["a", "b", "ü\x1b"]
    here = Predictor(bundle.load(path))
    for count in (1, 5):
        pixels = squares(spec, count)
        with torch.inference_mode():
            said = there(torch.from_numpy(pixels).float())
        assert said.shape == (count, 3)
        assert torch.allclose(said, here.probabilities(pixels), atol=1e-5)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.image_size))
def test_onnx_answers_as_classify_does(spec: Preprocessing, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    path = model_of(spec, tmp_path)
    export(path, "onnx", tmp_path / "m.onnx")
    there = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(there.get_modelmeta().custom_metadata_map["card"])["classes"][0] == "a"
    here = Predictor(bundle.load(path))
    for count in (1, 5):
        pixels = squares(spec, count)
        (said,) = there.run(["probabilities"], {"pixels": pixels.astype(np.float32)})
        assert np.allclose(said, here.probabilities(pixels).numpy(), atol=1e-5)


def test_a_state_dict_is_torchvisions(trained: TrainedRun, tmp_path: Path) -> None:
    target = tmp_path / "weights.safetensors"
    done = cli("export", trained.data, "--format", "state-dict", "--out", target)
    assert done.code == 0, done.err
    assert f"load_file('{target}')" in done.out and "num_classes=2" in done.out
    network = torchvisions(num_classes=2).eval()
    network.load_state_dict(safetensors.torch.load_file(target))
    model = bundle.load(trained.data / "alexnet.safetensors")
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = alexnet.from_tensors(model.tensors)(images)
        assert torch.allclose(network(images), ours, atol=1e-5)


def test_the_command_tells_what_it_takes_and_writes_over_nothing(
    trained: TrainedRun, tmp_path: Path
) -> None:
    words = [sys.executable, str(ROOT / "run_tui.py"), "export", str(trained.data)]
    line = [*words, "--format", "torchscript"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*line, *more], cwd=tmp_path, capture_output=True, text=True)

    done = run("--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    file = tmp_path / "alexnet.torchscript.pt"
    assert said["file"] == str(file) and said["classes"] == ["high", "low"]
    assert said["input"] == ["N", 3, 64, 64] and said["format"] == "torchscript"
    before = file.read_bytes()
    again = run()
    assert again.returncode == 2 and "is there already" in again.stderr
    assert run("--out", str(file)).returncode == 0
    assert len(file.read_bytes()) == len(before)
    refused = run("--out", str(tmp_path / "none" / "m.pt"))
    assert refused.returncode == 2 and "cannot be written" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name]


def test_without_onnx_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.errors import UserError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = model_of(SPECS[0], tmp_path)
    with pytest.raises(UserError, match="onnx and onnxscript, which are not installed") as told:
        export(path, "onnx", tmp_path / "m.onnx")
    assert told.value.hint == "Install them: pip install onnx onnxscript"
    assert not (tmp_path / "m.onnx").exists()


def test_it_is_the_whole_of_an_answer_and_changes_nothing(tmp_path: Path) -> None:
    model = bundle.load(model_of(SPECS[1], tmp_path))
    network = Standalone(model).eval()
    pixels = torch.from_numpy(squares(SPECS[1], 3)).float()
    with torch.inference_mode():
        shares = network(pixels)
    assert torch.allclose(shares.sum(1), torch.ones(3)) and bool((shares >= 0).all())
