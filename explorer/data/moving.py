"""Moving digits, as in Moving MNIST (Srivastava et al. 2015): one handwritten digit flies, and bounces off walls."""

import torch
from torch import Tensor
from torch.nn import functional

from explorer.arguments import seeded
from explorer.dataset import ImageDataset

FRAMES, SIDE = 16, 32
DIGIT = 14  # pixels of the digit's square, half of MNIST's
SPEED = (0.7, 2.2)  # pixels a frame


def folded(places: Tensor, length: float) -> Tensor:
    """Places on a line as places between two walls, at 0 and at `length`, which reflect what comes."""
    return length - (places % (2 * length) - length).abs()


def moving_digits(digits: ImageDataset, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n videos, (n, 16, 32, 32) in [-1, 1] with the ink at 1, and the class of each, (n,).

    `digits` are images of 28 x 28, one for each video, at random. Places are between pixels, so the digit glides.
    """
    assert digits.labels is not None
    generator = seeded(seed)
    picked = torch.randint(len(digits), (n,), generator=generator)
    small = functional.avg_pool2d(digits.images[picked], 2)
    angle = 2 * torch.pi * torch.rand(n, generator=generator)
    speed = torch.empty(n).uniform_(*SPEED, generator=generator)
    free = SIDE - DIGIT
    start = free * torch.rand(n, 2, generator=generator)
    velocity = (speed * torch.stack([angle.cos(), angle.sin()])).T
    when = torch.arange(FRAMES)
    corner = folded(start[:, None] + when[:, None] * velocity[:, None], free)  # (n, frames, 2), x and y
    pixels = (torch.arange(SIDE) + 0.5)[None, None]
    at = (pixels - corner[..., None].permute(2, 0, 1, 3)) * (
        2 / DIGIT
    ) - 1  # (2, n, frames, SIDE), in the digit's frame
    x, y = at.flatten(1, 2)
    grid = torch.stack([x[:, None, :].expand(-1, SIDE, -1), y[:, :, None].expand(-1, -1, SIDE)], -1)
    ink = (small.repeat_interleave(FRAMES, 0) + 1) / 2
    drawn = functional.grid_sample(ink, grid, align_corners=False)
    return (2 * drawn - 1).view(n, FRAMES, SIDE, SIDE), digits.labels[picked]
