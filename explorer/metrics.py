"""How far samples are from data.

Samples may come in any floating type: they are compared in 32 bits, or in 64 where one side has them. What a model
that blew up makes has no distance: every function here raises `NotFinite` for it, and ValueError, with a sentence,
for samples of two shapes.
"""

import math

import numpy as np
import torch
from torch import Tensor

from explorer.arguments import seeded, whole_number
from explorer.modes import default_modes

LARGEST = 1e15  # 32 bits still hold the squares of such values, summed over an image


class NotFinite(ValueError):
    """Samples that hold NaN, infinity, or values beyond `LARGEST`."""

    def __init__(self) -> None:
        super().__init__(
            "The samples hold values that are not finite, or too large to measure: the model blew up. Take more steps "
            "or less guidance, or a model that was trained at a lower learning rate."
        )


def is_finite(samples: Tensor) -> bool:
    """Whether they can be measured: all values lie within +-`LARGEST`."""
    if not samples.numel():
        return True
    low, high = samples.aminmax()
    return bool(low > -LARGEST and high < LARGEST)  # not so for NaN


def finite(samples: Tensor) -> Tensor:
    """The samples, unchanged. Raises `NotFinite` where they cannot be measured."""
    if not is_finite(samples):
        raise NotFinite
    return samples


def _comparable(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both, finite, in one floating type. Raises ValueError unless their rows have one shape."""
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"a sample has shape {tuple(a.shape[1:])} on one side and {tuple(b.shape[1:])} on the other")
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return finite(a.detach().to(dtype)), finite(b.detach().to(dtype))


@default_modes()
def sliced_wasserstein(a: Tensor, b: Tensor, projections: int = 300, seed: int = 0) -> float:
    """Sliced 2-Wasserstein distance between two sets of vectors, (n, d) and (m, d).

    Along random directions, the root mean squared gap between equal quantiles (Bonneel et al. 2015).
    Sets of different sizes are compared at the quantiles of the larger. Raises ValueError for an empty set, for
    what is no set of vectors, and without a direction.
    """
    projections = whole_number(projections, "projections", least=1)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"vectors have shape (n, d), not {tuple(a.shape)} and {tuple(b.shape)}: flatten(1) them")
    if len(a) == 0 or len(b) == 0:
        raise ValueError("a distance needs at least one sample on each side")
    a, b = _comparable(a, b)
    generator = seeded(seed, a.device)
    directions = torch.randn(a.shape[1], projections, generator=generator, device=a.device, dtype=torch.float32)
    directions = (directions / directions.norm(dim=0)).to(a.dtype)
    n = max(len(a), len(b))
    odd = 2 * torch.arange(n, device=a.device) + 1  # of 2 n, the quantiles

    def quantiles(points: Tensor) -> Tensor:
        # NumPy's sort is several times faster than torch's, which also returns where each value came from
        ordered = torch.from_numpy(np.sort((points @ directions).T.cpu().numpy(), axis=1)).to(points)
        return ordered if len(points) == n else ordered[:, odd * len(points) // (2 * n)]

    return float((quantiles(a) - quantiles(b)).square().mean().sqrt())


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Frechet distance between two sets of features, (n, d) and (m, d), each taken for a Gaussian.

    (Heusel et al. 2017, where the features are Inception's and the distance is called FID.) Raises ValueError
    for fewer than two samples on a side.
    """
    return frechet_to(a, *moments(b))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of features (n, d), in float64. Raises ValueError for fewer than two."""
    if len(features) < 2:
        raise ValueError("a covariance needs at least two samples")
    features = finite(features.detach().double())
    return features.mean(0), torch.atleast_2d(features.T.cov())


def frechet_to(features: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """Frechet distance of features, (n, d), to the Gaussian of a mean (d,) and a covariance (d, d).

    |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), by the eigenvalues of a symmetric matrix.
    """
    mean_a, a = moments(features)
    mean_b, b = finite(mean.detach().double()), covariance.detach().double()
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"{len(mean_a)} features cannot be compared with {len(mean_b)}")
    if not bool(b.isfinite().all()):
        raise NotFinite
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    distance = float((mean_a - mean_b).square().sum() + a.trace() + b.trace() - 2 * overlap)
    if not math.isfinite(distance):
        raise NotFinite
    return max(0.0, distance)


def mean_pairwise_distance(features: Tensor) -> float:
    """Mean distance between two different rows of (n, d), n at least 2: how diverse samples are."""
    if len(features) < 2:
        raise ValueError("a distance between samples needs at least two")
    return float(torch.pdist(_comparable(features, features)[0]).mean())


def nearest(images: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """The row of `data` (m, *shape) closest to each of `images` (n, *shape): index (n,) and distance (n,).

    The distance is the root of the mean squared difference of the values. Raises ValueError for no data.
    """
    if len(data) == 0:
        raise ValueError("there is nothing to look for the nearest in")
    images, data = _comparable(images, data)
    distances = torch.cdist(images.flatten(1), data.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
    closest = distances.min(1)
    return closest.indices, closest.values / data[0].numel() ** 0.5
