"""A model for use elsewhere: as ONNX or TorchScript with all that answering takes, or as torchvision's weights."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import safetensors.numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.costs import last_map
from core.errors import UserError
from core.files import write_atomically
from core.model import alexnet, bundle
from core.model.folded import fold, stretching
from core.model.formats import Exported, Format
from core.model.preprocess import identity_views, normalisation
from core.text import readable, safe_text

# The oldest version of ONNX's operators that torch writes by itself.
OPSET = 18
NEEDED = ("onnx", "onnxscript")


class Standalone(nn.Module):
    """Pixels to probabilities `(N, classes)`, as `classify` answers them once a picture is decoded.

    Pixels are `(N, channels, stored_size, stored_size)` float32 from 0 to 255: the middle square of a picture,
    upright on white, scaled to that size.
    """

    def __init__(self, model: bundle.Model) -> None:
        super().__init__()
        self._spec = spec = model.card.preprocessing
        self.network = alexnet.from_tensors(model.tensors)
        fold(self.network, spec.image_size)
        if isinstance(self.network.avgpool, nn.AdaptiveAvgPool2d):
            # As a product of matrices, which every format knows for maps of any size.
            self.network.avgpool = _Pool(spec.image_size)
        shape = [1, spec.channels, spec.image_size, spec.image_size]
        grid = F.affine_grid(identity_views(1, spec), shape, align_corners=False)
        scale, shift = normalisation(spec.mean, spec.std, grid.device)
        self.register_buffer("grid", grid)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the probabilities."""
        grid, scale, shift = (self.get_buffer(name) for name in ("grid", "scale", "shift"))
        grid = grid.expand(pixels.shape[0], -1, -1, -1)
        seen = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        images = seen * scale + shift
        if self._spec.mirrored:
            both = self.network(torch.cat([images, images.flip(3)])).softmax(1)
            shares: Tensor = both.unflatten(0, (2, -1)).mean(0)
        else:
            shares = self.network(images).softmax(1)
        if self._spec.temperature == 1.0:
            return shares
        return (shares.log() / self._spec.temperature).softmax(1)


class _Pool(nn.Module):
    """AlexNet's adaptive pooling of the last map of pictures of one size."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.register_buffer("places", stretching(last_map(image_size)).T)

    def forward(self, maps: Tensor) -> Tensor:
        return maps.flatten(2) @ self.get_buffer("places")


def export(model_path: Path, kind: Format, target: Path) -> Exported:
    """Write the model that `model_path` means to `target`; a reader sees an old file or the new one, whole.

    Raises:
        UserError: the model cannot be used, `target` cannot be written, or a package that `kind` needs is missing.
    """
    model = bundle.load(model_path)
    spec = model.card.preprocessing
    shape = (spec.channels, spec.stored_size, spec.stored_size)
    data = _WRITERS[kind](model, torch.rand(2, *shape) * 255)
    try:
        write_atomically(target, [data], mode=0o644)
    except OSError as error:
        raise UserError(
            f"{safe_text(target)} cannot be written: {error.strerror}.", "Name another by --out."
        ) from error
    return Exported(
        model=readable(str(model.path)),
        format=kind,
        file=readable(str(target)),
        classes=model.card.classes,
        input=[] if kind == "state-dict" else ["N", *shape],
    )


def _state_dict(model: bundle.Model, pixels: Tensor) -> bytes:
    # As safetensors: nobody has to unpickle what comes from here.
    return safetensors.numpy.save(model.tensors)


def _torchscript(model: bundle.Model, pixels: Tensor) -> bytes:
    buffer = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # That torch has a newer way, whose files need torch's compiler to be read.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(Standalone(model).eval(), pixels)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, buffer, {"card.json": msgspec.json.encode(model.card)})
    return buffer.getvalue()


def _onnx(model: bundle.Model, pixels: Tensor) -> bytes:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            f"Install them: pip install {' '.join(missing)}",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Standalone(model).eval(),
            (pixels,),
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["card"] = msgspec.json.encode(model.card).decode()
    data: bytes = program.model_proto.SerializeToString()
    return data


_WRITERS: dict[Format, Callable[[bundle.Model, Tensor], bytes]] = {
    "onnx": _onnx,
    "torchscript": _torchscript,
    "state-dict": _state_dict,
}
