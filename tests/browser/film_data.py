"""What film_app.py shows and test_film.py expects."""

import numpy as np

_t = np.linspace(0.01, 0.99, 99)
_alpha, _sigma = np.cos(np.pi * _t / 2), np.sin(np.pi * _t / 2)
SCHEDULES = {
    "cosine": {"t": _t, "alpha": _alpha, "sigma": _sigma, "log_snr": 2 * np.log(_alpha / _sigma)},
    "flow": {"t": _t, "alpha": 1 - _t, "sigma": _t, "log_snr": 2 * np.log((1 - _t) / _t)},
}


def digit() -> np.ndarray:
    """A seven, (8, 8) in [-1, 1]."""
    image = -np.ones((8, 8))
    image[1, 1:7] = 1
    image[[2, 3, 4, 5, 6], [6, 5, 4, 3, 3]] = 1
    return image


def noise(n: int) -> np.ndarray:
    """The start of the film, (n, 8, 8)."""
    return np.random.default_rng(1).standard_normal((n, 8, 8))


def colours() -> np.ndarray:
    """Two frames of four images of 6 x 6 pixels in colours, the second all white: (2, 4, 6, 6, 3)."""
    first = np.random.default_rng(1).uniform(-1.2, 1.2, (4, 6, 6, 3))
    return np.stack([first, np.ones_like(first)]).astype(np.float32)
