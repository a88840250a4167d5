"""What keeps a classifier from learning where things stand."""

import torch
from torch import Tensor
from torch.nn import functional


def shaken(images: Tensor, generator: torch.Generator, padding_mode: str = "zeros") -> Tensor:
    """Each image turned, scaled and shifted a little, so that a classifier learns what it shows and not its place.

    What comes in from outside is paper, or with "border" what lies at the rim.
    """
    turn, grow, right, down = (torch.rand(4, len(images), generator=generator) * 2 - 1) * torch.tensor(
        [[0.2], [0.1], [0.1], [0.1]]
    )
    cos, sin = (1 + grow) * turn.cos(), (1 + grow) * turn.sin()
    maps = torch.stack([torch.stack([cos, -sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images + 1, grid, padding_mode=padding_mode, align_corners=False) - 1
