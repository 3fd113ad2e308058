"""AlexNet as torchvision builds it, from a random start that learns or from given weights."""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from core.errors import UserError
from core.files import UnreadableError, expanded, read_bytes
from core.model.bundle import Tensors, alexnet_shapes
from core.model.card import MAX_BYTES
from core.model.network import AlexNet
from core.model.place import (
    CONVERT,
    HEAD,
    check_weights,
    damaged_weights,
    foreign_weights,
    unreadable_weights,
)
from core.text import safe_text


def build(classes: int, weights: str = "random", freeze: bool = False) -> AlexNet:
    """Return an AlexNet with `classes` outputs on the CPU, drawn from torch's global generator.

    `weights` is `random`, `imagenet` (downloaded by torchvision, hash checked) or a safetensors
    file of an AlexNet, whose last layer is replaced unless it has as many outputs. With `freeze`
    only the last layer is trained.

    Raises:
        UserError: the weights cannot be had, or do not fit.
    """
    # torch's layers draw a start of their own, which is not used and takes as long as ours.
    with torch.device("meta"):
        model = AlexNet(classes)
    model.to_empty(device="cpu")
    initialise(model)
    if weights != "random":
        given = _imagenet() if weights == "imagenet" else _from_file(Path(weights))
        _take_over(model, given, weights)
    if freeze:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith(HEAD)
    return model


def initialise(model: nn.Module) -> None:
    """Draw weights that keep the variance of activations from layer to layer, zero the biases.

    He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10. torchvision's own start shrinks them
    by a factor per layer, which is why plain AlexNets so often stay at a loss of ln K. `calibrate`
    completes it with pictures.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if f"{name}." == HEAD:
                # Near-equal answers at first: the loss starts at ln K, not far above it.
                nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def calibrate(model: AlexNet, images: Tensor) -> None:
    """Scale each layer of a random start but the last so that its output on `images` has unit variance.

    Mishkin & Matas, "All You Need Is a Good Init", ICLR 2016, algorithm 1, in one pass: max-pooling and
    bright pictures would else let activations grow. `images` is `(N, 3, S, S)`, as they train. Biases
    must be zero, as a random start has them.
    """
    model.eval()
    layers: list[nn.Module] = [*model.features, model.avgpool, nn.Flatten(), *model.classifier]
    with torch.no_grad():
        for layer in layers[:-1]:
            images = layer(images)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spread = images.std().clamp_min(1e-6)
                layer.weight /= spread
                images = images / spread


def from_tensors(tensors: Tensors) -> AlexNet:
    """Return the AlexNet of a verified model file, ready to answer."""
    # Without memory of its own: a random start of 57 million weights takes longer than an answer.
    with torch.device("meta"):
        model = AlexNet(len(tensors[HEAD + "bias"]))
    given = {name: torch.from_numpy(array) for name, array in tensors.items()}
    model.load_state_dict(given, assign=True)
    return model.eval().to(memory_format=torch.channels_last)


def to_tensors(state: Mapping[str, Tensor]) -> Tensors:
    """Return a state dict as float32 arrays in the row-major layout that files have."""
    return {
        name: np.ascontiguousarray(tensor.detach().float().cpu().contiguous().numpy())
        for name, tensor in state.items()
    }


def _imagenet() -> dict[str, Tensor]:
    # Here alone: importing it takes as long as importing torch.
    from torchvision.models import AlexNet_Weights

    source = AlexNet_Weights.IMAGENET1K_V1
    try:
        state: dict[str, Tensor] = source.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"The ImageNet weights cannot be downloaded: {safe_text(reason, 120)}.",
            f"Where there is a network, get {source.url}, then: {CONVERT} ; give it by --weights FILE.",
        ) from error
    return state


def _from_file(path: Path) -> dict[str, Tensor]:
    check_weights(path)
    shown = safe_text(path)
    try:
        return safetensors.torch.load(read_bytes(expanded(path), MAX_BYTES))
    except UnreadableError as error:
        raise unreadable_weights(shown, error) from None
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise damaged_weights(shown) from error


def _take_over(model: AlexNet, given: dict[str, Tensor], name: str) -> None:
    """Load `given`, keeping the fresh last layer where the number of classes differs."""
    wanted = alexnet_shapes(len(model.state_dict()[HEAD + "bias"]))
    fitting = {
        key: tensor.float() for key, tensor in given.items() if wanted.get(key) == tensor.shape
    }
    missing = [key for key in wanted if key not in fitting and not key.startswith(HEAD)]
    if missing or not all(torch.isfinite(tensor).all() for tensor in fitting.values()):
        raise foreign_weights(safe_text(name))
    # A head of the right size but only one of its two tensors would be half of another model.
    if not all(HEAD + part in fitting for part in ("weight", "bias")):
        fitting = {key: tensor for key, tensor in fitting.items() if not key.startswith(HEAD)}
    model.load_state_dict(fitting, strict=False)
