"""2D distributions, each scaled to zero mean and unit standard deviation over both axes."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from explorer.arguments import whole_number

Rng = np.random.Generator
MINIMUM_POINTS = 50
WORD_LIMIT = 12
DEFAULT_WORD = "noise"


def smiley(n: int, rng: Rng) -> np.ndarray:
    part = rng.choice(4, n, p=[0.46, 0.12, 0.12, 0.30])
    angle = rng.uniform(0, 2 * math.pi, n)
    mouth = rng.uniform(1.15 * math.pi, 1.85 * math.pi, n)
    disc = 0.16 * np.sqrt(rng.uniform(0, 1, n))
    eye = np.stack([disc * np.cos(angle), 1.4 * disc * np.sin(angle)], 1)
    places = [
        np.stack([np.cos(angle), np.sin(angle)], 1),
        eye + np.array([-0.36, 0.34]),
        eye + np.array([0.36, 0.34]),
        0.58 * np.stack([np.cos(mouth), np.sin(mouth)], 1),
    ]
    points = np.stack(places, 1)[np.arange(n), part]
    return points + 0.025 * rng.standard_normal((n, 2)) * (np.isin(part, [0, 3]))[:, None]


def _mixture(centres: np.ndarray, width: float, n: int, rng: Rng) -> np.ndarray:
    return centres[rng.integers(len(centres), size=n)] + width * rng.standard_normal((n, 2))


def _ring(count: int) -> np.ndarray:
    angle = 2 * math.pi * np.arange(count) / count + math.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def three_modes(n: int, rng: Rng) -> np.ndarray:
    return _mixture(_ring(3), 0.22, n, rng)


def circles(n: int, rng: Rng) -> np.ndarray:
    radius = np.where(rng.uniform(size=n) < 1 / 3, 0.5, 1.0)
    angle = rng.uniform(0, 2 * math.pi, n)
    circle = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return circle + 0.04 * rng.standard_normal((n, 2))


def moons(n: int, rng: Rng) -> np.ndarray:
    angle = rng.uniform(0, math.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    points = np.where(rng.uniform(size=(n, 1)) < 0.5, upper, lower)
    return points + 0.06 * rng.standard_normal((n, 2))


def swiss_roll(n: int, rng: Rng) -> np.ndarray:
    angle = 1.5 * math.pi * (1 + 2 * rng.uniform(size=n))
    roll = np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) / 10
    return roll + 0.03 * rng.standard_normal((n, 2))


def spirals(n: int, rng: Rng) -> np.ndarray:
    turn = 3 * math.pi * np.sqrt(rng.uniform(size=n))
    arm = np.where(rng.uniform(size=n) < 0.5, 1.0, -1.0)
    points = (arm * turn / 10)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    return points + 0.02 * rng.standard_normal((n, 2))


def checkerboard(n: int, rng: Rng) -> np.ndarray:
    column = rng.integers(4, size=n)
    row = 2 * rng.integers(2, size=n) + column % 2
    return np.stack([column, row], 1) + rng.uniform(size=(n, 2))


def pinwheel(n: int, rng: Rng) -> np.ndarray:
    arm = rng.integers(5, size=n)
    along = 1 + 0.3 * rng.standard_normal(n)
    across = 0.1 * rng.standard_normal(n)
    angle = 2 * math.pi * arm / 5 + 0.25 * np.exp(along)
    return np.stack([along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)], 1)


def eight_gaussians(n: int, rng: Rng) -> np.ndarray:
    return _mixture(_ring(8), 0.09, n, rng)


def grid(n: int, rng: Rng) -> np.ndarray:
    lattice = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    return _mixture(lattice.astype(float), 0.1, n, rng)


def word(n: int, rng: Rng, text: str = DEFAULT_WORD) -> np.ndarray:
    """The ink of up to 12 characters in DejaVu Sans; raises ValueError for none, more, or a sign it lacks."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    text = text.strip()
    if not 0 < len(text) <= WORD_LIMIT or not text.isprintable():
        raise ValueError(f"type a word of 1 to {WORD_LIMIT} letters")
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size=96)
    missing = bytes(font.getmask("\U0010ffff"))
    if unknown := [sign for sign in text if bytes(font.getmask(sign)) == missing]:
        raise ValueError(f"the font has no sign for {unknown[0]!r}; try other letters")
    left, top, right, bottom = font.getbbox(text)
    page = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2), 0)
    ImageDraw.Draw(page).text((1 - left, 1 - top), text, font=font, fill=255)
    ink = np.asarray(page, dtype=float) / 255
    if not ink.any():
        raise ValueError("this word leaves no ink; try other letters")
    return _from_density(ink, n, rng)


def _from_density(density: np.ndarray, n: int, rng: Rng) -> np.ndarray:
    """n points spread over the pixels of `density` (height, width), uniform inside each; y points up."""
    cell = rng.choice(density.size, n, p=density.ravel() / density.sum())
    row, column = np.divmod(cell, density.shape[1])
    return np.stack([column, -row], 1) + rng.uniform(size=(n, 2))


TOY2D: dict[str, Callable[..., np.ndarray]] = {
    "smiley": smiley,
    "three_modes": three_modes,
    "circles": circles,
    "moons": moons,
    "swiss_roll": swiss_roll,
    "spirals": spirals,
    "checkerboard": checkerboard,
    "pinwheel": pinwheel,
    "eight_gaussians": eight_gaussians,
    "grid": grid,
    "word": word,
}


def toy2d_names() -> list[str]:
    """Names that `toy2d` takes."""
    return list(TOY2D)


def toy2d(name: str, n: int = 2000, seed: int = 0, **options: str) -> Tensor:
    """n points of a built-in distribution, (n, 2) float32, zero mean, unit standard deviation.

    The scale is the distribution's own, measured once on many points, so that two seeds give two
    samples of one distribution. "word" takes `text`. Raises ValueError for an unknown name, or a
    word that cannot be drawn.
    """
    if name not in TOY2D:
        raise ValueError(f"no distribution is called {name!r}; choose one of {', '.join(TOY2D)}")
    n = whole_number(n, "n", least=0)
    reference = TOY2D[name](20_000, np.random.default_rng(0), **options)
    points = TOY2D[name](n, _rng(whole_number(seed, "seed") + 1), **options)
    return torch.from_numpy((points - reference.mean(0)) / _scale(reference)).float()


def _rng(seed: int) -> Rng:
    return np.random.default_rng(whole_number(seed, "seed") % 2**64)


def _scale(points: np.ndarray) -> float:
    return float(points.std(0).mean()) or 1.0


def points_from_drawing(drawing: np.ndarray, n: int = 2000, seed: int = 0, jitter: float = 0.02) -> Tensor:
    """n points around those that a person drew, (m, 2), as they stand: not scaled; (n, 2) float32.

    Raises ValueError for fewer than 50 points.
    """
    if len(drawing) < MINIMUM_POINTS:
        raise ValueError(f"{len(drawing)} points are too few to learn from: draw at least {MINIMUM_POINTS}")
    rng = _rng(seed)
    points = drawing[rng.integers(len(drawing), size=n)] + jitter * rng.standard_normal((n, 2))
    return torch.from_numpy(points).float()


def points_from_image(grey: np.ndarray, n: int = 2000, seed: int = 0) -> Tensor:
    """n points on the dark pixels of a grey image, (height, width) in [0, 1]; (n, 2) float32, unit scale.

    Darkness counts from the image's own middle between darkest and lightest. Raises ValueError for an
    image of one grey, of another shape, or with values that are not finite.
    """
    grey = np.asarray(grey, dtype=float)
    if grey.ndim != 2 or grey.size == 0 or not np.isfinite(grey).all():
        raise ValueError(f"an image is a table of finite grey values, not an array of shape {grey.shape}")
    low, high = grey.min(), grey.max()
    if high - low <= 0.05:
        raise ValueError("this image has one shade only; choose one with dark marks on a light ground")
    density = np.clip(1 - 2 * (grey - low) / (high - low), 0, None)
    points = _from_density(density, n, _rng(seed))
    centre = _from_density(density, 20_000, np.random.default_rng(0))
    return torch.from_numpy((points - centre.mean(0)) / _scale(centre)).float()
