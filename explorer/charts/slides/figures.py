"""The figures of a page, as they are kept until somebody wants them as files: arrays and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification of one view or of layers, in the colours of either theme."""

    title: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Images:
    """Rows of images: for each row its title, its images, uint8 (columns, height, width, 1 or 3), and a caption for
    each or none; `heads` stand over the columns, where they are not empty."""

    title: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, np.ndarray, Sequence[str]]]


@dataclass(frozen=True)
class Film:
    """Strips of n images that change: for each strip its title, its images, uint8 (frames, n, height, width, 1 or 3),
    and a caption for each frame or none."""

    title: str
    strips: Sequence[tuple[str, np.ndarray, Sequence[str]]]


@dataclass(frozen=True)
class Walk:
    """Clouds of points that walk: for each scene its title, the role of its points and its arrays, of which x,
    (frames, n, 2), and t, (frames,), are drawn, and where they are there target, (m, 2), and started, (frames, k, 2).
    Shown is [-extent, extent]^2."""

    title: str
    extent: float
    scenes: Sequence[tuple[str, str, dict[str, np.ndarray]]]


@dataclass(frozen=True)
class Spectrograms:
    """Spectrograms that change: for each strip its title, its role, loudness from 0 to 1, (frames, bands, places), and
    a caption for each frame."""

    title: str
    strips: Sequence[tuple[str, str, np.ndarray, Sequence[str]]]


@dataclass(frozen=True)
class Table:
    """Rows of a table under its heads: data alone, never a picture."""

    title: str
    rows: Sequence[dict[str, Any]]


Figure = Chart | Images | Film | Walk | Spectrograms | Table
