"""How far samples are from data."""

import numpy as np
import torch
from torch import Tensor


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int = 300, seed: int = 0) -> float:
    """Sliced 2-Wasserstein distance between two sets of vectors, (n, d) and (m, d).

    Along random directions, the root mean squared gap between equal quantiles (Bonneel et al. 2015).
    Sets of different sizes are compared at the quantiles of the larger. Raises ValueError for an empty set.
    """
    if len(a) == 0 or len(b) == 0:
        raise ValueError("a distance needs at least one sample on each side")
    generator = torch.Generator(a.device).manual_seed(seed)
    directions = torch.randn(a.shape[1], projections, generator=generator, device=a.device, dtype=a.dtype)
    directions = directions / directions.norm(dim=0)
    n = max(len(a), len(b))
    quantile = (torch.arange(n, device=a.device) + 0.5) / n

    def quantiles(points: Tensor) -> Tensor:
        # NumPy's sort is several times faster than torch's, which also returns where each value came from
        ordered = torch.from_numpy(np.sort((points @ directions).T.cpu().numpy(), axis=1)).to(points)
        return ordered if len(points) == n else ordered[:, (quantile * len(points)).long()]

    return float((quantiles(a) - quantiles(b)).square().mean().sqrt())
