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


class AlexNet(nn.Module):
    """Images `(N, 3, S, S)`, S of at least 63, to logits `(N, classes)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs, kernel, stride, padding, pooled in _CONVOLUTIONS:
            layers += [nn.Conv2d(channels, outputs, kernel, stride, padding), nn.ReLU(inplace=True)]
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
