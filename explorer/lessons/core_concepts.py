"""From data to noise in one jump or in many small steps, and walks from noise to digits.

(Ho, Jain and Abbeel 2020, eqs. 2 and 4; for any alpha and sigma, Kingma et al. 2021.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explorer.data.digits import digits, nearest_scans
from explorer.denoiser import Denoiser, expand
from explorer.lessons.views import view_scale
from explorer.samplers import sample
from explorer.schedules import Schedule


def diffuse(x0: Tensor, schedule: Schedule, t: Tensor | float, generator: torch.Generator) -> Tensor:
    """One jump, x_t = alpha x_0 + sigma eps, (n, *shape); t: scalar or (n,)."""
    alpha, sigma = (expand(part, x0).to(x0) for part in (schedule.alpha(t), schedule.sigma(t)))
    return alpha * x0 + sigma * torch.randn(x0.shape, generator=generator, dtype=x0.dtype)


def step_kernel(schedule: Schedule, s: Tensor | float, t: Tensor | float) -> tuple[Tensor, Tensor]:
    """(scale, std) of x_t | x_s ~ N(scale x_s, std^2) for s < t; shapes of s and t."""
    scale = schedule.alpha(t) / schedule.alpha(s)
    variance = schedule.sigma(t) ** 2 - (scale * schedule.sigma(s)) ** 2
    return scale, variance.clamp(min=0).sqrt()


def diffuse_in_steps(x0: Tensor, schedule: Schedule, times: Tensor, generator: torch.Generator) -> Tensor:
    """x at the last of `times`, (k,), which rise from 0: every step adds its own noise; (n, *shape)."""
    x = x0
    for scale, std in zip(*step_kernel(schedule, times[:-1], times[1:]), strict=True):
        x = scale.to(x) * x + std.to(x) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x


def cumulative_gap(a: Tensor, b: Tensor, comparisons: int = 1) -> tuple[float, float]:
    """How far two sets of numbers, (n,) and (m,), are from one distribution (Kolmogorov and Smirnov).

    Returns the largest gap between their cumulative distributions, and the gap below which `comparisons` such
    pairs from one distribution all stay in 95 of 100 cases.
    """
    values = torch.cat([a, b]).sort().values
    share_a, share_b = (torch.searchsorted(x.sort().values, values, right=True) / len(x) for x in (a, b))
    quantile = math.sqrt(math.log(2 * comparisons / 0.05) / 2)
    return float((share_a - share_b).abs().max()), quantile * math.sqrt(1 / len(a) + 1 / len(b))


@dataclass(frozen=True)
class Roads:
    """The same pixels noised to the same time by one jump and by small steps, over sqrt(alpha^2 + sigma^2).

    `jump` and `steps` are (draws, pixels); `mean` and `std`, (pixels,), are what theory says of both;
    `gap` and `bound` are `cumulative_gap` of the pixel where it is largest.
    """

    jump: np.ndarray
    steps: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    gap: float
    bound: float


def two_roads(
    values: Sequence[float], schedule: Schedule, t: float, steps: int, draws: int = 4000, seed: int = 0
) -> Roads:
    """Noise each pixel of `values` to time t, `draws` times by each road; `steps` are equally long in t."""
    generator = torch.Generator().manual_seed(seed)
    x0 = torch.tensor(values).repeat(draws, 1)
    alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
    size = math.hypot(alpha, sigma)
    jump = diffuse(x0, schedule, t, generator) / size
    times = torch.linspace(0, t, steps + 1, dtype=torch.float64)
    walk = diffuse_in_steps(x0, schedule, times, generator) / size
    gap, bound = max(cumulative_gap(*pair, comparisons=len(values)) for pair in zip(jump.T, walk.T, strict=True))
    mean = alpha / size * np.asarray(values)
    return Roads(jump.numpy(), walk.numpy(), mean, np.full_like(mean, sigma / size), gap, bound)


@dataclass(frozen=True)
class DigitWalk:
    """n walks in k steps, noise first; images are float32 (..., 8, 8).

    `x` (k + 1, n, 8, 8) is over sqrt(alpha^2 + sigma^2); `guess` (k, n, 8, 8) is the guess of x_0 made from
    each x but the last; `nearest` (k, n, 8, 8) holds the scan closest to each guess. `distance` (k + 1, n)
    is that of the guesses, then of the samples, to their nearest scan (root mean square over the pixels), and
    `label` (n,) says what the last of those scans are.
    """

    x: np.ndarray
    guess: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    label: np.ndarray
    t: np.ndarray


def digit_walk(denoiser: Denoiser, n: int, sampler: str, steps: int, seed: int) -> DigitWalk:
    """Sample n digits and look up the nearest scan at every step. Raises what `sample` raises."""
    scans, labels = digits()
    run = sample(denoiser, n, sampler, steps, seed)
    index, distance = nearest_scans(torch.cat([run.x0.flatten(0, 1), run.samples]))
    return DigitWalk(
        x=(run.x / expand(view_scale(denoiser.schedule, run.t), run.x).float())[:, :, 0].numpy(),
        guess=run.x0[:, :, 0].numpy(),
        nearest=scans[index[:-n], 0].reshape(-1, n, 8, 8).numpy(),
        distance=distance.reshape(-1, n).numpy(),
        label=labels[index[-n:]].numpy(),
        t=run.t.numpy(),
    )
