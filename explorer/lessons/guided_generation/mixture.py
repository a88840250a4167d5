"""Guidance where everything is known: a labelled mixture of Gaussians in the plane, whose denoiser has a closed form.

With and without its label, E[x_0 | x_t] is exact, so what guidance bends is the method's doing and no network's.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.denoiser import Denoiser
from explorer.samplers import sample
from explorer.schedules import make_schedule

LABELS = ("first", "second", "third")
RADIUS, WIDTH = 1.1, 0.5  # of the triangle of the means, and the standard deviation of each Gaussian


class LabelledMixture(nn.Module):
    """E[x_0 | x_t], or E[x_0 | x_t, label], of equally likely Gaussians, one a label, in closed form.

    `means` is (labels, 2), `width` their common standard deviation. The condition is label numbers (n,), or None.
    """

    takes_condition = True
    means: Tensor

    def __init__(self, means: Tensor, width: float):
        super().__init__()
        self.width = width
        self.register_buffer("means", means)

    def read_condition(self, condition: Any, n: int) -> Tensor:
        """Label numbers of n points, or one for all. Raises ValueError for anything else."""
        labels = torch.as_tensor(condition)
        known = not labels.is_floating_point() and labels.dtype != torch.bool and labels.shape in ((), (n,))
        if not known or not bool(((labels >= 0) & (labels < len(self.means))).all()):
            raise ValueError(f"the condition must be {n} label numbers from 0 to {len(self.means) - 1}")
        return labels.long().expand(n)

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        """x (n, 2) of unit scale, log_snr (1,) or (n,); returns the guess of x_0, (n, 2)."""
        alpha, sigma = (part.sqrt()[:, None, None] for part in (log_snr.sigmoid(), (-log_snr).sigmoid()))
        variance = (alpha * self.width) ** 2 + sigma**2
        away = x[:, None] - alpha * self.means
        guesses = self.means + alpha * self.width**2 / variance * away
        fit = -(away**2).sum(2) / (2 * variance[..., 0])
        if condition is not None:
            others = torch.arange(len(self.means)) != condition[:, None]
            fit = fit.masked_fill(others, -math.inf)
        return (fit.softmax(1)[..., None] * guesses).sum(1)


def middles() -> Tensor:
    """Of the labels, (3, 2): a triangle with its first corner upwards."""
    angle = math.pi / 2 + 2 * math.pi * torch.arange(len(LABELS)) / len(LABELS)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def labelled_mixture() -> Denoiser:
    """The exact denoiser of three Gaussians, on the `flow` schedule."""
    return Denoiser(LabelledMixture(middles(), WIDTH), make_schedule("flow"), prediction="x0", shape=(2,))


@dataclass(frozen=True)
class Bent:
    """Paths to one label at a guidance scale: `x` (frames, n, 2), noise first, `t` (frames,), `x0` (frames - 1, n, 2).

    `right` is the share of ends that are likelier of their own label than of another, `spread` their standard deviation
    around their mean, over that of the label's Gaussian.
    """

    x: np.ndarray
    t: np.ndarray
    x0: np.ndarray
    right: float
    spread: float


def bent(guidance_scale: float, label: int = 0, n: int = 400, steps: int = 40, seed: int = 0) -> Bent:
    """Sample a label of the mixture with guidance, from the same noise at every scale (Heun's method)."""
    denoiser = labelled_mixture()
    walk = sample(denoiser, n, "heun", steps, seed, condition=label, guidance_scale=guidance_scale)
    ends = walk.samples
    nearest = (ends[:, None] - middles()).square().sum(2).argmin(1)
    spread = float((ends - ends.mean(0)).square().mean().sqrt()) / WIDTH
    x, x0 = walk.x.numpy(), walk.x0.numpy()
    return Bent(x, walk.t.numpy(), x0, float((nearest == label).float().mean()), spread)


@torch.no_grad()
def arrows(
    t: float, guidance_scale: float, label: int = 0, extent: float = 2.5, lines: int = 11
) -> dict[str, np.ndarray]:
    """Where the flow moves a point at time t on a grid over [-extent, extent]^2, towards the data: "unconditional",
    "conditional", their "difference", and "guided", each (lines * lines, 2), beside the "places"."""
    denoiser = labelled_mixture()
    axis = torch.linspace(-extent, extent, lines)
    places = torch.cartesian_prod(axis, axis)
    conditional, unconditional = (-denoiser.predict(places, t, told).velocity for told in (label, None))
    difference = conditional - unconditional
    guided = unconditional + guidance_scale * difference
    named = {"unconditional": unconditional, "conditional": conditional, "difference": difference, "guided": guided}
    return {name: part.numpy() for name, part in {"places": places, **named}.items()}


def flow(times: np.ndarray, guidance_scale: float, extent: float = 2.5, lines: int = 11) -> np.ndarray:
    """The guided arrows at each of the times, (frames, lines, lines, 2), rows from the lowest y up; at the ends of the
    clock, where the flow is singular, those of the schedule's own first and last time."""
    schedule = make_schedule("flow")
    inside = times.clip(schedule.t_min, schedule.t_max)
    each = [arrows(float(t), guidance_scale, extent=extent, lines=lines)["guided"] for t in inside]
    return np.stack(each).reshape(len(times), lines, lines, 2).swapaxes(1, 2)
