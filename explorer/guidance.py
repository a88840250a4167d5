"""Steering a sampler by a condition."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from explorer.arguments import number, pair
from explorer.denoiser import Denoiser, Estimate, expand

Predict = Callable[[Tensor, float], Estimate]
MIDDLE = (-1.0, 2.0)  # log-SNR: guided above this noise, digits lose variety; below it nothing changes


def guided(
    denoiser: Denoiser,
    condition: Any = None,
    negative_condition: Any = None,
    guidance_scale: float = 1.0,
    guidance_interval: tuple[float, float] | None = None,
) -> tuple[Predict, Callable[[float], int]]:
    """Classifier-free guidance (Ho and Salimans 2022), and the network calls that a prediction costs at a time.

    The estimate is negative + guidance_scale (positive - negative); the negative condition None
    is the null condition. A scale of 1, or no condition at all, needs one call. Outside of `guidance_interval`, from
    the lowest log-SNR to the highest, the estimate is the positive one: guidance at high noise costs variety, and
    at low noise is hardly needed (Kynkäänniemi et al. 2024). Raises ValueError for an interval that does not rise,
    or a scale that is not finite.
    """
    guidance_scale = number(guidance_scale, "guidance_scale")
    if not math.isfinite(guidance_scale):
        raise ValueError(f"guidance_scale must be a finite number, not {guidance_scale}")
    if guidance_interval is not None:
        low, high = pair(guidance_interval)
        if not low < high:
            raise ValueError(f"guidance_interval must be a lower and a higher log-SNR, not {guidance_interval!r:.40}")
    needed = guidance_scale != 1 and (condition is not None or negative_condition is not None)

    def calls(t: float) -> int:
        if guidance_interval is None or not needed:
            return 1 + needed
        return 1 + (low <= float(denoiser.schedule.log_snr(t)) <= high)

    def predict(x_t: Tensor, t: float) -> Estimate:
        if calls(t) == 1:
            return denoiser.predict(x_t, t, condition)
        positive, negative = denoiser.predict_each(x_t, t, (condition, negative_condition))
        return Estimate(
            denoiser.schedule,
            positive.t,
            x0=negative.x0 + guidance_scale * (positive.x0 - negative.x0),
            epsilon=negative.epsilon + guidance_scale * (positive.epsilon - negative.epsilon),
        )

    return predict, calls


class Climbing(Denoiser):
    """A denoiser that also climbs what `score` gives its guess: classifier guidance (Dhariwal and Nichol 2021), with
    CLIP as the classifier (Nichol et al. 2022, GLIDE).

        epsilon <- epsilon - strength * sigma * d score(x_0(x_t)) / d x_t

    `score` maps guesses of x_0, (n, *shape), to numbers (n,), the higher the better.
    """

    def __init__(self, denoiser: Denoiser, score: Callable[[Tensor], Tensor], strength: float):
        super().__init__(denoiser.network, denoiser.schedule, denoiser.prediction, denoiser.shape)
        self.score, self.strength = score, number(strength, "strength")

    def predict(self, x_t: Tensor, t: Tensor | float, condition: Any = None, **options: Any) -> Estimate:
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            free = super().predict(x, t, condition, **options)
            (slope,) = torch.autograd.grad(self.score(free.x0).sum(), x)
        alpha, sigma = (expand(part(free.t).to(x_t), x_t) for part in (free.schedule.alpha, free.schedule.sigma))
        epsilon = free.epsilon.detach() - self.strength * sigma * slope
        return Estimate(free.schedule, free.t, x0=(x_t - sigma * epsilon) / alpha, epsilon=epsilon)


class Nested(Denoiser):
    """A denoiser told by several conditions, each of which says more than the one before, each with a scale of its own
    (Brooks, Holynski and Efros 2023, InstructPix2Pix):

        x_0 <- x_0() + scales_1 (x_0(c_1) - x_0()) + scales_2 (x_0(c_2) - x_0(c_1)) + ...

    It is sampled without a condition. Conditions that the scales leave out cost no network call.
    """

    def __init__(self, denoiser: Denoiser, conditions: Sequence[Any], scales: Sequence[float]):
        super().__init__(denoiser.network, denoiser.schedule, denoiser.prediction, denoiser.shape)
        self.plain = denoiser
        of_each = [1.0, *(number(scale, "scale") for scale in scales)]
        shares = [scale - after for scale, after in zip(of_each, [*of_each[1:], 0.0], strict=True)]
        told = zip([None, *conditions], shares, strict=True)
        self.told = [(condition, share) for condition, share in told if share]

    def predict(self, x_t: Tensor, t: Tensor | float, condition: Any = None, **options: Any) -> Estimate:
        each = self.plain.predict_each(x_t, t, [one for one, _ in self.told])
        shares = [share for _, share in self.told]
        return Estimate(
            self.schedule,
            each[0].t,
            x0=sum((share * one.x0 for share, one in zip(shares, each, strict=True)), torch.zeros_like(x_t)),
            epsilon=sum((share * one.epsilon for share, one in zip(shares, each, strict=True)), torch.zeros_like(x_t)),
        )
