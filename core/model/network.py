"""The network itself: torchvision's AlexNet layer by layer, without what importing torchvision brings along.

That loads torch's compiler too, which takes as long as torch does, before a first picture is answered
(`tests/core/test_network.py` holds both side by side).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, section 2:
# (outputs, kernel, stride, padding, whether pooled) of each convolution.
_CONVOLUTIONS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
PLACES = 6
_HIDDEN = 4096


class _ByPlanes(nn.Conv2d):
    """On a CPU plane by plane, though the maps around it have their channels last.

    With kernels of 5 × 5 what oneDNN has for channels last takes 1.3 times as long (AVX2, torch 2.14),
    with those of 3 and 11 it is no slower, and pooling many times quicker.
    """

    def forward(self, images: Tensor) -> Tensor:
        if images.is_cuda or images.is_contiguous():
            return super().forward(images)
        out: Tensor = self._conv_forward(images.contiguous(), self.weight.contiguous(), self.bias)
        return out.contiguous(memory_format=torch.channels_last)


class AlexNet(nn.Module):
    """Images `(N, 3, S, S)`, S of at least 63, to logits `(N, classes)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs, kernel, stride, padding, pooled in _CONVOLUTIONS:
            convolution = _ByPlanes if kernel == 5 else nn.Conv2d
            layers += [
                convolution(channels, outputs, kernel, stride, padding),
                nn.ReLU(inplace=True),
            ]
            layers += [nn.MaxPool2d(3, 2)] if pooled else []
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.avgpool: nn.Module = nn.AdaptiveAvgPool2d(PLACES)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(channels * PLACES**2, _HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(_HIDDEN, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))
        return logits
