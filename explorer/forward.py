"""The forward process: from data to noise in one jump, or in many small steps.

(Ho, Jain and Abbeel 2020, eqs. 2 and 4; for any alpha and sigma, Kingma et al. 2021.)
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from explorer.denoiser import expand
from explorer.schedules import Schedule

GAP_95 = 1.358  # Kolmogorov's distribution is below this with probability 0.95


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
    """x at the last of `times`, (k,), rising from 0: each step adds its noise to the step before; (n, *shape)."""
    x = x0
    for s, t in pairwise(times):
        scale, std = step_kernel(schedule, s, t)
        x = scale.to(x) * x + std.to(x) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x


def cumulative_gap(a: Tensor, b: Tensor) -> tuple[float, float]:
    """How far two sets of numbers, (n,) and (m,), are from one distribution (Kolmogorov and Smirnov).

    Returns the largest gap between their cumulative distributions, and the gap below which two sets from
    one distribution stay in 95 of 100 cases.
    """
    values = torch.cat([a, b]).sort().values
    share_a, share_b = (torch.searchsorted(x.sort().values, values, right=True) / len(x) for x in (a, b))
    return float((share_a - share_b).abs().max()), GAP_95 * math.sqrt(1 / len(a) + 1 / len(b))
