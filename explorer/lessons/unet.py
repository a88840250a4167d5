"""One image through a U-Net at several noise levels, whole or cut, with everything that the network computes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.denoiser import Denoiser, expand
from explorer.lessons.views import view_scale
from explorer.networks.text import Text
from explorer.networks.unet import UNet


@dataclass(frozen=True)
class Moments:
    """An image at k noise levels, and what a network makes of it; images are float32 (k, channels, h, w).

    `t` and `log_snr` are (k,), `x` is x_t over sqrt(alpha^2 + sigma^2), `x0` the guess of the clean image, `error`
    (k,) its root mean square distance from `image` over the pixels, and `maps` what each part of the network
    computed, by the names of `UNet.forward`: (k, channels, h, w), "embedding" (k, width); "attention" is what
    it adds.
    """

    image: np.ndarray
    t: np.ndarray
    log_snr: np.ndarray
    x: np.ndarray
    x0: np.ndarray
    error: np.ndarray
    maps: dict[str, np.ndarray]


@torch.no_grad()
def observe(
    denoiser: Denoiser,
    image: np.ndarray,
    log_snr: np.ndarray,
    seed: int,
    label: int | str | None = None,
    scales: Mapping[str, float] | None = None,
) -> Moments:
    """Noise `image`, (channels, h, w) in [-1, 1], to each of `log_snr`, (k,), with one noise, and denoise it.

    `label` is the class, or the prompt, that the network is told, None for none; `scales` are those of `UNet.forward`.
    """
    clean, x, t = _noised(denoiser, image, log_snr, seed)
    condition = label if label is None or isinstance(label, str) else torch.full((len(t),), label)
    maps: dict[str, Tensor] = {}
    x0 = denoiser.predict(x, t, condition, scales=scales, record=maps).x0
    return Moments(
        image,
        t.numpy(),
        log_snr,
        (x / expand(view_scale(denoiser.schedule, t), x).float()).numpy(),
        x0.numpy(),
        (x0 - clean).square().flatten(1).mean(1).sqrt().numpy(),
        {name: values.numpy() for name, values in maps.items()},
    )


@torch.no_grad()
def guesses(
    denoiser: Denoiser,
    image: np.ndarray,
    log_snr: np.ndarray,
    seed: int,
    label: int | str | None,
    cuts: Sequence[Mapping[str, float]],
) -> tuple[np.ndarray, np.ndarray]:
    """The guesses of `observe` for each of `cuts`, (cuts, k, channels, h, w), and their errors, (cuts, k).

    One batch asks for all of them: what a cut scales, it scales in its own images.
    """
    clean, x, t = _noised(denoiser, image, log_snr, seed)
    names = {name for cut in cuts for name in cut}
    scales = {
        name: expand(torch.tensor([cut.get(name, 1.0) for cut in cuts]).repeat_interleave(len(t)), x) for name in names
    }
    n = len(cuts)
    condition = label if label is None or isinstance(label, str) else torch.full((n * len(t),), label)
    x0 = denoiser.predict(x.repeat(n, 1, 1, 1), t.repeat(n), condition, scales=scales).x0.unflatten(0, (n, -1))
    return x0.numpy(), (x0 - clean).square().flatten(2).mean(2).sqrt().numpy()


def _noised(denoiser: Denoiser, image: np.ndarray, log_snr: np.ndarray, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """`image`, the same with noise at each of `log_snr`, (k, channels, h, w), and the times of those, (k,)."""
    clean = torch.from_numpy(image)
    t = denoiser.schedule.time_of_log_snr(torch.from_numpy(log_snr.astype(np.float64)))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    alpha, sigma = (
        expand(part, noise[None]).float() for part in (denoiser.schedule.alpha(t), denoiser.schedule.sigma(t))
    )
    return clean, alpha * clean + sigma * noise, t


class Cut(nn.Module):
    """A U-Net that always runs with the same `scales`; its weights are those of `network`, shared."""

    def __init__(self, network: UNet, scales: Mapping[str, float]):
        super().__init__()
        self.network, self.scales = network, dict(scales)

    @property
    def takes_condition(self) -> bool:
        return self.network.takes_condition

    def read_condition(self, condition: Any, n: int) -> Tensor | Text:
        return self.network.read_condition(condition, n)

    def side_by_side(self, conditions: Sequence[Tensor | Text | None], n: int) -> Tensor | Text | None:
        return self.network.side_by_side(conditions, n)

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        return self.network(x, log_snr, condition, scales=self.scales)


def cut(denoiser: Denoiser, scales: Mapping[str, float]) -> Denoiser:
    """The same denoiser with `scales` of what passes its skip connections and its attention."""
    assert isinstance(denoiser.network, UNet)
    return Denoiser(Cut(denoiser.network, scales), denoiser.schedule, denoiser.prediction, denoiser.shape)


@torch.no_grad()
def time_embedding(denoiser: Denoiser, log_snr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a U-Net makes of noise levels, (k,), before a class is added: features (k, 33), embedding (k, width)."""
    network = denoiser.network
    assert isinstance(network, UNet)
    features = network.waves(torch.from_numpy(log_snr).float())
    return features.numpy(), network.time(features).numpy()


def fingerprint(denoiser: Denoiser) -> str:
    """Names a denoiser by its weights and by how they are read: what is computed from it can be kept under this."""
    digest = hashlib.blake2b(repr((denoiser.schedule.name, denoiser.prediction, denoiser.shape)).encode())
    for name, weights in denoiser.network.state_dict().items():
        digest.update(name.encode())
        digest.update(weights.contiguous().numpy().data)
    return digest.hexdigest()
