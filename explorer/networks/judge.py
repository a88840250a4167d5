"""A judge of pictures: it names what a picture shows, one answer to each of several questions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.metrics import finite
from explorer.networks.blocks import GroupNorm


class Residual(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), at half the resolution if `stride` is 2 (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first_norm, self.second_norm = GroupNorm(8, inputs), GroupNorm(8, outputs)
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        changes = inputs != outputs or stride > 1
        self.through = nn.Conv2d(inputs, outputs, 1, stride=stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(functional.silu(self.first_norm(x)))
        return self.through(x) + self.second(functional.silu(self.second_norm(hidden)))


class Tower(nn.Module):
    """Maps images (n, 3, height, width) in [-1, 1] to features (n, 8 * width)."""

    def __init__(self, width: int):
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.stages = nn.ModuleList(Residual(inputs, outputs, 2) for inputs, outputs in pairwise(widths))
        self.norm = GroupNorm(8, widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return functional.silu(self.norm(x)).mean((2, 3))


class Judge(nn.Module):
    """Maps images (n, 3, height, width) in [-1, 1] to logits (n, answers) of each question.

    `answers` are the names that each question may be answered with: {"concept": ["cat", ...], "style": [...]}.
    """

    def __init__(self, answers: Mapping[str, Sequence[str]], width: int = 24):
        super().__init__()
        self.size = {"answers": {question: list(names) for question, names in answers.items()}, "width": width}
        self.answers = {question: tuple(names) for question, names in answers.items()}
        self.tower = Tower(width)
        self.heads = nn.ModuleList(nn.Linear(8 * width, len(names)) for names in answers.values())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.tower(images)
        return {question: head(features) for question, head in zip(self.answers, self.heads, strict=True)}

    @torch.no_grad()
    def name(self, images: Tensor, question: str, best: int = 1) -> list[list[str]]:
        """The `best` answers to a question for each image, the likeliest first. Raises `NotFinite` for images of a
        model that blew up, KeyError for a question that it does not know."""
        names = self.answers[question]
        order = self(finite(images))[question].topk(best).indices.tolist()
        return [[names[index] for index in indices] for indices in order]
