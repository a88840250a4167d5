"""The network of the 2D lab: Fourier features of the point and of the noise level, then a plain MLP."""

from typing import Any

import torch
from torch import Tensor, nn

from explorer.denoiser import Denoiser
from explorer.networks.blocks import FourierFeatures, build
from explorer.schedules import make_schedule


class MLP(nn.Module):
    """Maps points (n, dimensions) and their log-SNR, (1,) or (n,), to (n, dimensions).

    `width` units in each of `depth` SiLU layers, `features` random frequencies for the point. The noise
    level also sets how much of the input passes straight through and how loud the rest is: at high noise
    eps is nearly x, and what the network adds to it must be small and exact.
    """

    takes_condition = False

    def __init__(self, width: int = 64, depth: int = 3, features: int = 32, dimensions: int = 2):
        super().__init__()
        self.size: dict[str, int] = {"width": width, "depth": depth, "features": features, "dimensions": dimensions}
        self.place = FourierFeatures(dimensions, features, scale=2.0)
        self.noise_level = FourierFeatures(1, 8, scale=0.3)
        self.gate = nn.Sequential(nn.Linear(17, 16), nn.Tanh(), nn.Linear(16, 2))
        layers: list[nn.Module] = []
        for size in [dimensions + 2 * features + 16] + [width] * (depth - 1):
            layers += [nn.Linear(size, width), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, dimensions))

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        log_snr = log_snr[:, None]
        level = self.noise_level(log_snr)
        through, gain = self.gate(torch.cat([level, log_snr / 4], 1)).unbind(1)
        out = self.layers(torch.cat([x, self.place(x), level.expand(len(x), -1)], 1))
        return through[:, None] * x + (1 + gain[:, None]) * out


def make_denoiser_2d(seed: int = 0, schedule: str = "flow", prediction: str = "velocity", **size: int) -> Denoiser:
    """The lab's default 2D model, untrained; `size` takes MLP's width, depth, features. Seeded by `seed`."""
    return Denoiser(build(lambda: MLP(**size), seed), make_schedule(schedule), prediction, shape=(2,))
