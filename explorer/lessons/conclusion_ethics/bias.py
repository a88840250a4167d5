"""A set of pictures whose bias is known, what models return that learned it, and what guidance makes of that.

With guidance w a model draws from p(x | c)^w p(x)^(1 - w), so where a share p of the pictures of either shape has its
usual colour, and both colours are equally frequent, the share that comes back should be p^w / (p^w + (1 - p)^w).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import explorer as ex
from explorer.data.tinted import SHAPES, judged

MODELS = {50: "tinted-50", 70: "tinted-70", 90: "tinted-90"}  # per cent: shipped model
STEPS = 15
NEITHER = -1


def expected(share: float, guidance_scale: float) -> float:
    """The share of usual colours that guidance should return."""
    usual, other = share**guidance_scale, (1 - share) ** guidance_scale
    return usual / (usual + other)


@dataclass(frozen=True)
class Returned:
    """Pictures (n, 32, 32, 3) of the shapes asked for, and what is seen in them: shapes and colours (n,), NEITHER for
    what is none of two."""

    pictures: np.ndarray
    asked: Tensor
    shapes: Tensor
    colours: Tensor

    @property
    def readable(self) -> Tensor:
        """Which pictures show one of the two colours, (n,) bool."""
        return self.colours != NEITHER

    @property
    def usual(self) -> float:
        """The share of those that have the colour that is usual for the shape asked for."""
        return float((self.colours == self.asked)[self.readable].float().mean())

    @property
    def right(self) -> float:
        """The share of all that are of the shape asked for."""
        return float((self.shapes == self.asked).float().mean())


def returned(denoiser: ex.Denoiser, n: int, guidance_scale: float, seed: int) -> Returned:
    """Ask for n shapes in turn, and leave the colour open."""
    asked = torch.arange(n) % len(SHAPES)
    pictures = ex.sample(
        denoiser, n, "dpmpp_2m", STEPS, seed=seed, condition=asked, guidance_scale=guidance_scale, keep="last"
    ).samples.clamp(-1, 1)
    shapes, colours = judged(pictures).T
    return Returned(pictures.permute(0, 2, 3, 1).numpy(), asked, shapes, colours)


def margin(share: float, n: int) -> float:
    """Half of the interval that holds a share of n with 95 % (Wald)."""
    return 1.96 * (share * (1 - share) / n) ** 0.5


def corrected(share: float, hit: float, false: float) -> float:
    """The share that a judge with these rates of hits and of false alarms would have to see to answer `share`, within
    [0, 1] (Rogan and Gladen 1978). Raises ValueError for a judge who guesses."""
    if hit <= false:
        raise ValueError("a judge who hits no more often than it errs says nothing of a share")
    return min(1.0, max(0.0, (share - false) / (hit - false)))
