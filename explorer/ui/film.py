"""Images on a clock that runs in the browser: the forward process of one image, and image trajectories.

Grey values are x mapped from [-GREY_LIMIT, GREY_LIMIT], clipped, to black ... white, as in
`assets/components/pixels.js`; colours from [-1, 1], so that white paper is white.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.charts import palette
from explorer.ui.buffer import pack
from explorer.ui.components import component

GREY_LIMIT = 1.2

_noising = component("noising", "buffer", "gif", "mount", "pixels", "save", "screen", "theme", "transport")
_film = component("film", "buffer", "gif", "mount", "pixels", "save", "screen", "theme", "transport")


def noising(
    image: np.ndarray,
    schedules: Mapping[str, Mapping[str, np.ndarray]],
    *,
    key: str,
    schedule: str,
    seed: int = 0,
    autoplay: bool = True,
) -> None:
    """The forward process of `image`, (height, width) in [-1, 1], under a time slider.

    `schedules` gives for each name the arrays t (ascending), alpha, sigma and log_snr, each (k,) and finite;
    the clock runs over those of `schedule`, the others are drawn faintly. `seed` draws the noise.
    """
    tables = {
        f"schedule {name}": np.stack([curve[row] for row in ("t", "alpha", "sigma", "log_snr")])
        for name, curve in schedules.items()
    }
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    arrays = {"image": image, "noise": noise, **tables}
    meta = {"schedules": list(schedules), "schedule": schedule, "autoplay": autoplay, "palette": palette.THEMES}
    _noising(key=key, data=pack(meta, **{name: array.astype(np.float32) for name, array in arrays.items()}))


@dataclass(frozen=True)
class Strip:
    """The same n images at every frame: `frames` is float32 (frames, n, height, width), or (..., 3) with colours."""

    title: str
    frames: np.ndarray
    captions: Sequence[str] | None = None  # one a frame
    role: str = "model"  # of the palette


def film(
    strips: Sequence[Strip],
    *,
    key: str,
    fps: float = 12,
    autoplay: bool = True,
    label: str = "images from noise to data",
    columns: int | None = None,
) -> None:
    """Plays one or more strips on one clock; a shorter strip rests on its last frame.

    An image that is selected is enlarged in every strip. `columns` is the most strips beside each other, all
    where it is None. `label` says what plays, for screen readers.
    """
    titles = [{"title": s.title, "role": s.role, "captions": s.captions and list(s.captions)} for s in strips]
    meta = {
        "strips": titles,
        "fps": fps,
        "autoplay": autoplay,
        "label": label,
        "columns": columns or len(strips),
        "palette": palette.THEMES,
    }
    frames = {
        f"strip {index}": to_bytes(strip.frames, GREY_LIMIT if strip.frames.ndim == 4 else 1.0)
        for index, strip in enumerate(strips)
    }
    _film(key=key, data=pack(meta, **frames))


def to_grey(values: np.ndarray) -> np.ndarray:
    """uint8 of any shape: 0 is -GREY_LIMIT and below, or not a number, 255 is GREY_LIMIT and above."""
    return to_bytes(values, GREY_LIMIT)


def to_bytes(values: np.ndarray, limit: float) -> np.ndarray:
    """uint8 of any shape: 0 is -limit and below, or not a number, 255 is limit and above."""
    shares = (np.clip(np.nan_to_num(values, nan=-limit), -limit, limit) + limit) / (2 * limit)
    return np.rint(255 * shares).astype(np.uint8)
