"""A set of images with their classes: what training takes, wherever they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

HELD_OUT_EVERY = 5


@dataclass(frozen=True)
class ImageDataset:
    """`images` (m, channels, height, width) float32 in [-1, 1]; `labels` (m,) int64 or None, numbers into `classes`.

    `name` is that of the registry, or "own" for images that a person brought.
    """

    name: str
    images: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: (channels, height, width)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def part(self, index: Tensor | Sequence[int] | slice) -> "ImageDataset":
        """The images of `index`, with their labels."""
        labels = None if self.labels is None else self.labels[index]
        return ImageDataset(self.name, self.images[index], labels, self.classes)

    def split(self) -> tuple["ImageDataset", "ImageDataset"]:
        """(to train on, held out): image i is held out when i % 5 == 4."""
        return self.part(torch.arange(len(self)) % HELD_OUT_EVERY != HELD_OUT_EVERY - 1), self.held_out

    @property
    def held_out(self) -> "ImageDataset":
        """The images that no training sees; a view, nothing is copied."""
        return self.part(slice(HELD_OUT_EVERY - 1, None, HELD_OUT_EVERY))
