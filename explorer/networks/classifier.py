"""A small classifier of images: it judges samples, and its features are what distances are measured in."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.metrics import finite
from explorer.networks.blocks import Drawn, GroupNorm

FEATURES = 64


class Classifier(Drawn):
    """Maps images (n, channels, height, width) in [-1, 1] to logits (n, classes).

    It carries how real images that it never saw look to it: `reference_mean` (64,) and
    `reference_covariance` (64, 64) of their features.
    """

    reference_mean: Tensor
    reference_covariance: Tensor
    reference_floor: Tensor

    def __init__(self, channels: int = 1, classes: int = 10, width: int = 32):
        super().__init__()
        self.size = {"channels": channels, "classes": classes, "width": width}
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            GroupNorm(8, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            GroupNorm(8, 2 * width),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(2 * width * 16, FEATURES),
        )
        self.head = nn.Linear(FEATURES, classes)
        self.register_buffer("reference_mean", torch.empty(FEATURES))
        self.register_buffer("reference_covariance", torch.empty(FEATURES, FEATURES))
        self.register_buffer("reference_floor", torch.empty(()))

    def draw(self, generator: torch.Generator) -> None:
        for buffer in self.buffers(recurse=False):
            buffer.zero_()

    @property
    def floor(self) -> float:
        """The Frechet distance of 2,000 training images to the held-out ones, the mean of a few draws."""
        return float(self.reference_floor)

    def features(self, images: Tensor) -> Tensor:
        """What is compared: (n, 64)."""
        return self.layers(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(functional.silu(self.features(images)))

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """The class that each image looks like, (n,). Raises `NotFinite` for images of a model that blew up."""
        return self(finite(images)).argmax(1)
