"""Shapes whose colour goes with them as often as one says: a set of pictures whose bias is known."""

import numpy as np
import torch
from torch import Tensor

from explorer.arguments import number, whole_number
from explorer.data.scenes import Scene, Thing, draw, read

SHAPES = ("circle", "star")
TINTS = ("blue", "orange")  # the usual colour of each


def tinted(n: int, share: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """n pictures (n, 3, 32, 32) of one shape each, as many of either; their shapes (n,) and colours (n,), as numbers.

    `share` in [0, 1] of the circles are blue and of the stars orange, the others the other way round: exactly so
    many, not so many on average. Raises ValueError for n below 4 or a share outside.
    """
    n, share = whole_number(n, "n", 4), number(share, "share")
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], not {share}")
    rng = np.random.default_rng(seed)
    shapes = np.arange(n) % len(SHAPES)
    usual = np.arange(n) // len(SHAPES) < round(share * n / len(SHAPES))
    colours = np.where(usual, shapes, 1 - shapes)
    pictures = []
    for shape, colour in zip(shapes, colours, strict=True):
        x, y = rng.uniform(9, 23, 2)
        size = str(rng.choice(["small", "", "big"]))
        pictures.append(draw(Scene(((Thing(SHAPES[shape], TINTS[colour], size, "", x, y),),))))
    return torch.stack(pictures), torch.from_numpy(shapes), torch.from_numpy(colours)


def judged(pictures: Tensor) -> Tensor:
    """Shape and colour of each picture as numbers, (n, 2), by `explorer.data.scenes.read`; -1 for what is neither."""
    found = []
    for picture in pictures:
        _, seen = read(picture)
        one = seen[0] if len(seen) == 1 else None
        shape = SHAPES.index(one.shape) if one and one.shape in SHAPES else -1
        found.append((shape, TINTS.index(one.colour) if one and one.colour in TINTS else -1))
    return torch.tensor(found)
