"""A picture that is there already: painted over in part, or taken as a start."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.denoiser import Denoiser, Estimate, expand
from explorer.lessons.guided_generation.pictures import Asked
from explorer.metrics import finite
from explorer.samplers import sample


class Kept(Denoiser):
    """A denoiser that keeps what a mask covers as it is in a picture: inpainting.

    Where `mask` (height, width) is 0 the guess of x_0 is replaced by the picture (channels, height, width), and the
    noise follows from it, as in Song et al. 2021 (score SDE), appendix I.2, said of x_0.
    """

    def __init__(self, denoiser: Denoiser, picture: Tensor, mask: Tensor):
        super().__init__(denoiser.network, denoiser.schedule, denoiser.prediction, denoiser.shape)
        if picture.shape != denoiser.shape or mask.shape != denoiser.shape[1:]:
            raise ValueError(f"a picture of shape {denoiser.shape} and its mask are wanted, not {tuple(picture.shape)}")
        self.picture, self.mask = picture, mask

    def predict(self, x_t: Tensor, t: Tensor | float, condition: Any = None, **options: Any) -> Estimate:
        free = super().predict(x_t, t, condition, **options)
        x0 = torch.lerp(self.picture.to(x_t), free.x0, self.mask.to(x_t))
        alpha, sigma = (expand(part(free.t).to(x_t), x_t) for part in (free.schedule.alpha, free.schedule.sigma))
        return Estimate(free.schedule, free.t, x0, (x_t - alpha * x0) / sigma)


def repaint(denoiser: Denoiser, asked: Asked, picture: Tensor, mask: Tensor) -> np.ndarray:
    """n pictures of the prompt, (n, channels, height, width), that are `picture` where `mask` (height, width) is 0."""
    drawn = finite(sample(Kept(denoiser, picture, mask), **asked.options(), keep="last").samples)
    return torch.lerp(picture, drawn.clamp(-1, 1), mask).numpy()


def last_times(denoiser: Denoiser, steps: int, share: float) -> Tensor:
    """The times of that last share of a walk, at least one step. Raises ValueError for a share outside (0, 1]."""
    if not 0 < share <= 1:
        raise ValueError(f"share must lie above 0 and be at most 1, not {share}")
    return denoiser.schedule.times(steps)[steps - max(1, round(share * steps)) :]


def from_picture(denoiser: Denoiser, asked: Asked, picture: Tensor, share: float) -> np.ndarray:
    """n pictures of the prompt that start from `picture` with noise (Meng et al. 2022, SDEdit), (n, channels, height,
    width). `share` in (0, 1] of the walk is walked: 1 keeps nothing of it."""
    schedule, times = denoiser.schedule, last_times(denoiser, asked.steps, share)
    alpha, sigma = (float(part(times[0])) for part in (schedule.alpha, schedule.sigma))
    generator = torch.Generator().manual_seed(asked.seed)
    start = alpha * picture + sigma * torch.randn(asked.n, *denoiser.shape, generator=generator)
    walk = sample(denoiser, **asked.options(), x_init=start, times=times, keep="last")
    return finite(walk.samples).clamp(-1, 1).numpy()
