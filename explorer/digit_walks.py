"""Walks from noise to 8x8 digits, beside the real scans that they come near to."""

from dataclasses import dataclass

import numpy as np
import torch

from explorer.data.digits import digits, nearest_scans
from explorer.denoiser import Denoiser, expand
from explorer.samplers import sample
from explorer.views import view_scale


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
