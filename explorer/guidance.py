"""Steering a sampler by a condition."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from explorer.denoiser import Denoiser, Estimate

Predict = Callable[[Tensor, float], Estimate]


def guided(
    denoiser: Denoiser, condition: Any = None, negative_condition: Any = None, guidance_scale: float = 1.0
) -> tuple[Predict, int]:
    """Classifier-free guidance (Ho and Salimans 2022), and the network calls that one prediction costs.

    The estimate is negative + guidance_scale (positive - negative); the negative condition None
    is the null condition. A scale of 1, or no condition at all, needs one call.
    """
    if guidance_scale == 1 or (condition is None and negative_condition is None):
        return lambda x_t, t: denoiser.predict(x_t, t, condition), 1

    def predict(x_t: Tensor, t: float) -> Estimate:
        positive = denoiser.predict(x_t, t, condition)
        negative = denoiser.predict(x_t, t, negative_condition)
        return Estimate(
            denoiser.schedule,
            positive.t,
            x0=negative.x0 + guidance_scale * (positive.x0 - negative.x0),
            epsilon=negative.epsilon + guidance_scale * (positive.epsilon - negative.epsilon),
        )

    return predict, 2
