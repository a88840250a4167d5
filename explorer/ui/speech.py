"""Speech on a clock that runs in the browser: spectrograms from noise to speech, each step of which can be heard."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explorer.charts import palette
from explorer.charts.slides.figures import Spectrograms
from explorer.ui import gathering
from explorer.ui.buffer import pack
from explorer.ui.components import component

_speech = component("speech", "buffer", "mount", "screen", "theme", "transport")
SHOWN = (-2.0, 2.0)  # of features: quiet and loud


@dataclass(frozen=True)
class Strip:
    """Spectrograms and sounds of every frame: `bands` (frames, bands, places), standardised; `sound` int16 (frames,
    samples); a caption for each frame."""

    title: str
    bands: np.ndarray
    sound: np.ndarray
    captions: Sequence[str]
    role: str


def speech(
    strips: Sequence[Strip],
    pitch: np.ndarray,
    words: Sequence[tuple[str, float, float]],
    phones: Sequence[tuple[str, float, float]],
    *,
    key: str,
    rate: int,
    hertz: tuple[float, float],
    label: str,
    foot: str = "",
    autoplay: bool = True,
) -> None:
    """Plays the strips on one clock, over what is said when, (text, start, end) in seconds.

    `pitch` is in Hz, (frames, places), 0 where there is no voice; `hertz` are the lowest and the highest frequency of
    the bands, at `rate` samples a second. `label` says what plays, for screen readers.
    """
    medians = [float(np.median(row[row > 0])) if (row > 0).any() else 0.0 for row in pitch]
    meta = {
        "strips": [{"title": s.title, "role": s.role, "captions": list(s.captions)} for s in strips],
        "words": [list(one) for one in words],
        "phones": [list(one) for one in phones],
        "seconds": strips[0].sound.shape[1] / rate,
        "pitch": [f"Pitch: {m:.0f} Hz in the median" if m else "Pitch: nothing is voiced" for m in medians],
        "rate": rate,
        "hertz": list(hertz),
        "fps": 5,
        "label": label,
        "foot": foot,
        "autoplay": autoplay,
        "palette": palette.THEMES,
    }
    arrays: dict[str, np.ndarray] = {"pitch": pitch.astype(np.float32)}
    low, high = SHOWN
    loud = [((strip.bands - low) / (high - low)).clip(0, 1) for strip in strips]
    kept = [(s.title, s.role, shares, s.captions) for s, shares in zip(strips, loud, strict=True)]
    gathering.keep(lambda: Spectrograms(label[:1].upper() + label[1:], kept))
    for index, strip in enumerate(strips):
        arrays[f"strip {index}"] = (255 * loud[index]).astype(np.uint8)
        arrays[f"sound {index}"] = strip.sound
    _speech(key=key, data=pack(meta, **arrays))
