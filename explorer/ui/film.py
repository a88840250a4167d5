"""Images on a clock that runs in the browser: the forward process of one image, and image trajectories.

Grey values are x mapped from [-GREY_LIMIT, GREY_LIMIT], clipped, to black ... white, as in
`assets/components/pixels.js`; colours from [-1, 1], so that white paper is white.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.charts import palette
from explorer.charts.slides.figures import Film, Images
from explorer.ui import gathering
from explorer.ui.buffer import pack
from explorer.ui.components import component

GREY_LIMIT = 1.2
MOMENTS = 9  # of the forward process, on a slide

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
    gathering.keep(lambda: _at_moments(image, noise, schedules[schedule], schedule))
    meta = {"schedules": list(schedules), "schedule": schedule, "autoplay": autoplay, "palette": palette.THEMES}
    _noising(key=key, data=pack(meta, **{name: array.astype(np.float32) for name, array in arrays.items()}))


def _at_moments(image: np.ndarray, noise: np.ndarray, curve: Mapping[str, np.ndarray], schedule: str) -> Images:
    """The forward process at a few moments of its clock."""
    seen = np.linspace(0, len(curve["t"]) - 1, MOMENTS).round().astype(int)
    alpha, sigma = (curve[row][seen][:, None, None] for row in ("alpha", "sigma"))
    mixed = (alpha * image + sigma * noise) / np.hypot(alpha, sigma)
    captions = [
        f"log\N{NON-BREAKING HYPHEN}SNR {round(curve['log_snr'][k], 1) + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")
        for k in seen
    ]
    heads = [f"t = {curve['t'][k]:.2f}" for k in seen]
    title = f"From an image to noise, schedule: {schedule}"
    return Images(title, heads, [("", in_bytes(mixed, 3), captions)])


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
    frames = [in_bytes(strip.frames, 4) for strip in strips]
    kept = [(s.title, images, s.captions or []) for s, images in zip(strips, frames, strict=True)]
    gathering.keep(lambda: Film(label[:1].upper() + label[1:], kept))
    arrays = {f"strip {k}": images if strips[k].frames.ndim == 5 else images[..., 0] for k, images in enumerate(frames)}
    _film(key=key, data=pack(meta, **arrays))


def in_bytes(values: np.ndarray, axes: int) -> np.ndarray:
    """uint8 with channels last: greys, of so many axes, with one channel; colours, of one axis more, with three."""
    return to_grey(values)[..., None] if values.ndim == axes else to_bytes(values, 1.0)


def to_grey(values: np.ndarray) -> np.ndarray:
    """uint8 of any shape: 0 is -GREY_LIMIT and below, or not a number, 255 is GREY_LIMIT and above."""
    return to_bytes(values, GREY_LIMIT)


def to_bytes(values: np.ndarray, limit: float) -> np.ndarray:
    """uint8 of any shape: 0 is -limit and below, or not a number, 255 is limit and above."""
    shares = (np.clip(np.nan_to_num(values, nan=-limit), -limit, limit) + limit) / (2 * limit)
    return np.rint(255 * shares).astype(np.uint8)
