"""A small CLIP: a tower for pictures and one for texts that end in the same space (Radford et al. 2021).

    picture -> tower -> vector of length 1 \\
                                            > their product: how well they fit
       text -> encoder -> vector of length 1 /
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.blocks import Drawn
from explorer.networks.judge import Tower
from explorer.networks.text import TextEncoder


class Sharpness(Drawn):
    """What products are multiplied by before they compete: e to a learned number, 100 at most."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.empty(()))

    def draw(self, generator: torch.Generator) -> None:
        nn.init.constant_(self.log, math.log(10))

    def forward(self, products: Tensor) -> Tensor:
        return products * self.log.exp().clamp(max=100)


class Clip(nn.Module):
    """Pictures (n, 3, height, width) in [-1, 1] and texts as vectors (n, dimensions) of length 1.

    `text` are the arguments of a `TextEncoder`, `width` that of the tower's first maps.
    """

    def __init__(self, text: Mapping[str, Any], width: int = 24, dimensions: int = 96):
        super().__init__()
        self.size = {"text": {**text, "words": list(text["words"])}, "width": width, "dimensions": dimensions}
        self.tower, self.text = Tower(width), TextEncoder(**text)
        self.of_picture = nn.Linear(8 * width, dimensions)
        self.of_text = nn.Linear(int(self.text.norm.normalized_shape[0]), dimensions)
        self.sharpness = Sharpness()

    def pictures(self, images: Tensor) -> Tensor:
        """(n, dimensions) of images."""
        return functional.normalize(self.of_picture(self.tower(images)), dim=1)

    def texts(self, texts: Sequence[str] | Tensor) -> Tensor:
        """(n, dimensions) of a list of texts, or of their numbers as `TextEncoder.read` returns them."""
        pooled = self.text(self.text.read(texts, len(texts))).pooled
        return functional.normalize(self.of_text(pooled), dim=1)

    def loss(self, images: Tensor, numbers: Tensor) -> Tensor:
        """How badly each picture finds its own text among those of the batch, and each text its own picture.

        A text that stands in the batch several times competes once.
        """
        fit = self.sharpness(self.pictures(images) @ self.texts(numbers).T)
        same = (numbers[:, None] == numbers[None]).all(2)
        others = same & ~torch.eye(len(images), dtype=torch.bool, device=fit.device)
        fit = fit.masked_fill(others, -math.inf)
        own = torch.arange(len(images), device=fit.device)
        return (functional.cross_entropy(fit, own) + functional.cross_entropy(fit.T, own)) / 2
