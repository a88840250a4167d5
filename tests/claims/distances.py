"""How far clouds of points are from one another, computed without the library."""

import numpy as np


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Sliced 2-Wasserstein, by the quantiles of projections on evenly spread directions."""
    angles = np.pi * (np.arange(16) + 0.5) / 16
    ways = np.stack([np.cos(angles), np.sin(angles)])
    quantiles = (np.arange(2000) + 0.5) / 2000
    one, other = (np.sort(points @ ways, axis=0)[(quantiles * len(points)).astype(int)] for points in (a, b))
    return float(np.sqrt(np.square(one - other).mean()))
