"""Each solver of the probability-flow ODE reaches its order on a Gaussian mixture whose score is known.

In y = x / alpha and s = sigma / alpha the ODE is dy/ds = eps on every schedule (Karras et al. 2022), so
one fine Runge-Kutta solution there is the reference for all.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch
from torch import Tensor

from explorer.denoiser import Estimate
from explorer.samplers import SAMPLERS, Point, points_of
from explorer.schedules import Schedule, make_schedule, schedule_names

CENTRES = torch.tensor([[1.0, 0.3], [-0.8, 0.9], [-0.2, -1.1]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
VARIANCES = torch.tensor([0.2, 0.35, 0.5], dtype=torch.float64)
STEPS = (20, 40, 80, 160, 320)
NOISY, CLEAN = -4.0, 4.0
START = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def posterior_mean(x: Tensor, alpha: float, sigma: float) -> Tensor:
    """E[x_0 | x_t] for a mixture of round Gaussians, by Bayes' rule in each of them."""
    spread = alpha**2 * VARIANCES + sigma**2
    gap = x[:, None] - alpha * CENTRES
    logits = WEIGHTS.log() - spread.log() - (gap**2).sum(-1) / (2 * spread)
    means = CENTRES + (alpha * VARIANCES / spread)[:, None] * gap
    return (logits.softmax(1)[..., None] * means).sum(1)


def exact(schedule: Schedule, points: Sequence[Point]) -> Callable[[Tensor, float], Estimate]:
    at = {point.t: point for point in points}

    def predict(x: Tensor, t: float) -> Estimate:
        x0 = posterior_mean(x, at[t].alpha, at[t].sigma)
        return Estimate(schedule, torch.tensor(t), x0, (x - at[t].alpha * x0) / at[t].sigma)

    return predict


def no_noise(like: Tensor) -> Tensor:
    raise AssertionError("an ODE draws no noise")


@cache
def reference(steps: int = 800) -> Tensor:
    """y at log-SNR 4 from START scaled to the size of y at -4, by the classical Runge-Kutta method in log s."""
    step = (math.exp(-CLEAN / 2) / math.exp(-NOISY / 2)) ** (1 / steps)
    s = math.exp(-NOISY / 2)
    y = START * math.hypot(1, s)

    def slope(y: Tensor, s: float) -> Tensor:
        return y - posterior_mean(y, 1.0, s)  # s eps = dy / d log s

    h = math.log(step)
    for _ in range(steps):
        middle, after = s * math.sqrt(step), s * step
        k1 = slope(y, s)
        k2 = slope(y + h / 2 * k1, middle)
        k3 = slope(y + h / 2 * k2, middle)
        k4 = slope(y + h * k3, after)
        y, s = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), after
    return y


def error(name: str, schedule: Schedule, steps: int) -> Tensor:
    """Root mean squared error of x / alpha at the clean end, on a grid uniform in log-SNR."""
    levels = torch.linspace(NOISY, CLEAN, steps + 1, dtype=torch.float64)
    points = points_of(schedule, schedule.time_of_log_snr(levels))
    start = START * math.hypot(points[0].alpha, points[0].sigma)
    *_, (x, _) = SAMPLERS[name].walk(exact(schedule, points), start, points, no_noise)
    return (x / points[-1].alpha - reference()).square().mean().sqrt()


def test_the_reference_is_finer_than_anything_compared_with_it() -> None:
    assert (reference() - reference(400)).abs().max() < 1e-9


@pytest.mark.parametrize("schedule", [*map(make_schedule, schedule_names())], ids=lambda schedule: schedule.name)
@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("ddim", 1), ("heun", 2), ("dpmpp_2m", 2)])
def test_the_order_of_convergence(name: str, order: int, schedule: Schedule) -> None:
    log_error = torch.stack([error(name, schedule, steps) for steps in STEPS]).log()
    log_step = -torch.tensor(STEPS, dtype=torch.float64).log()
    centred = log_step - log_step.mean()
    slope = float((centred * log_error).sum() / centred.square().sum())
    assert slope == pytest.approx(order, abs=0.15)
    assert log_error[-1].exp() < {1: 1e-2, 2: 1e-4}[order]
