"""How fast the built-in example is drawn, and how far a linear model on its pixels gets.

A linear model that did well would mean a shortcut: the mood should be seen in the mouth's shape only.

    python -m benchmarks.demo_dataset [--images 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.io import decode_image

from core.dataset.demo import CLASSES, write_demo

_PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def main() -> None:
    """Draw the pictures, fit both models, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        written = write_demo(Path(place), arguments.images, arguments.seed)
        images_per_second = arguments.images / (time.perf_counter() - start)
        pictures, moods = _load(written, arguments.seed)
    gray = functional.avg_pool2d((pictures * _LUMA).sum(1, keepdim=True), 2)
    rgb_accuracy, gray_accuracy = linear_accuracy(pictures, moods), linear_accuracy(gray, moods)
    tested = len(moods) - round(0.8 * len(moods))
    print(f"pictures, seed             {len(moods):,}, {arguments.seed}")
    print(f"drawn and written          {images_per_second:.0f} pictures/s")
    for name, accuracy in (("RGB 64x64", rgb_accuracy), ("gray 32x32", gray_accuracy)):
        error = 1.96 * math.sqrt(accuracy * (1 - accuracy) / tested)
        print(f"linear model, {name:<12} {accuracy:.1%} ± {error:.1%} of {tested:,} test pictures")
    figures = {
        "images": len(moods),
        "seed": arguments.seed,
        "images_per_second": round(images_per_second, 1),
        "linear_rgb_accuracy": round(rgb_accuracy, 4),
        "linear_gray_accuracy": round(gray_accuracy, 4),
    }
    print(json.dumps(figures))


def _load(written: dict[str, list[Path]], seed: int) -> tuple[Tensor, Tensor]:
    """Return pictures (N, 3, 64, 64), 0 to 255, and moods (N,), 0 or 1, in a shuffled order."""
    files = [(path, mood) for mood, name in enumerate(CLASSES) for path in written[name]]
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(seed)).tolist()
    pictures = torch.stack([decode_image(str(files[place][0])) for place in order]).float()
    return pictures, torch.tensor([float(files[place][1]) for place in order])


def linear_accuracy(pictures: Tensor, moods: Tensor) -> float:
    """Return the test accuracy of a logistic regression on standardised pixels.

    80 % train, the rest tests; a tenth of the training part chooses the L2 penalty.
    """
    train = round(0.8 * len(moods))
    fitted = round(0.9 * train)
    pixels = pictures.flatten(1)
    pixels = (pixels - pixels[:train].mean(0)) / pixels[:train].std(0).clamp_min(1e-6)
    pixels = pixels / math.sqrt(pixels.shape[1])  # One scale of penalties then fits any size.

    def accuracy(penalty: float, upto: int, tested: slice) -> float:
        weights, bias = _fit(pixels[:upto], moods[:upto], penalty)
        right = (pixels[tested] @ weights + bias > 0) == (moods[tested] > 0.5)
        return right.float().mean().item()

    best = max(_PENALTIES, key=lambda penalty: accuracy(penalty, fitted, slice(fitted, train)))
    return accuracy(best, train, slice(train, None))


def _fit(pixels: Tensor, moods: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Return weights (D,) and bias (1,) of the logistic regression, fitted with full-batch LBFGS."""
    weights = torch.zeros(pixels.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = pixels @ weights + bias
        total = functional.binary_cross_entropy_with_logits(logits, moods)
        total = total + penalty * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach(), bias.detach()


if __name__ == "__main__":
    main()
