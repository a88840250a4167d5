"""How near a cloned voice comes, and whether its words are understood, by a judge that the model never met."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from explorer.audio.features import BANDS, features, parts
from explorer.data.speech.phones import FRAMES, SILENCE
from explorer.lessons.voice_cloning.speaking import Script
from explorer.lessons.voice_cloning.voices import about, built_in, listener, reference_of


@dataclass(frozen=True)
class Near:
    """Likeness, the cosine of two voices' vectors, of what was made to its reference, to each built-in voice, and the
    share of pairs of recordings that are less alike: of one voice, and of two."""

    to_reference: float
    to_others: dict[str, float]
    above_same: float
    above_different: float

    @property
    def nearest(self) -> str:
        """The built-in voice that it is nearest to."""
        return max(self.to_others, key=self.to_others.__getitem__)


def near(audio: Tensor, reference: Tensor) -> Near:
    """How near a sound (samples,) comes to the judge's vector of its reference."""
    made = listener().voices(features(audio)[None])[0]
    likeness = float(made @ reference)
    pairs = about()["likeness"]
    return Near(
        likeness,
        {name: float(made @ reference_of(name).judged) for name in built_in()},
        share_below(pairs["same"], likeness),
        share_below(pairs["different"], likeness),
    )


def share_below(percentiles: Sequence[float], value: float) -> float:
    """The share of a distribution, given by its percentiles 0 to 100, that lies below a value."""
    return float(np.interp(value, percentiles, np.linspace(0, 1, len(percentiles)), left=0.0, right=1.0))


@dataclass(frozen=True)
class Understood:
    """What the judge heard: phones, for each spoken word whether at least two thirds of its phones are what it hears
    most when they are due, and the share of all phones for which that is so."""

    heard: list[str]
    words: list[tuple[str, bool]]
    sounds: float


def understood(audio: Tensor, script: Script) -> Understood:
    """Whether the words of a script are understood in its sound (samples,)."""
    seen = features(audio)
    ends = [round(end * FRAMES) for end in accumulate(script.seconds)]
    right, told, start = listener().hears(seen, script.phones, ends), [], 1
    for word in script.words:
        part = right[start : start + len(word.phones)]
        start += len(word.phones)
        if word.text != ",":
            told.append((word.text, sum(part) >= 2 / 3 * len(part)))
    spoken = [one for one, phone in zip(right, script.phones, strict=True) if phone != SILENCE]
    return Understood(listener().heard(seen[None])[0], told, sum(spoken) / max(1, len(spoken)))


def pitch_and_brightness(seen: Tensor) -> tuple[float, float]:
    """Of features (66, frames), where they are voiced: the median of the pitch in Hz, and the centre of gravity of the
    bands, from 0 to 63, which is higher for a shorter throat; not a number where there is no voice."""
    _, hertz, voiced = parts(seen[None])
    on = voiced[0] > 0.5
    if not bool(on.any()):
        return math.nan, math.nan
    weights = (2 * seen[:BANDS, on]).exp()
    return float(hertz[0, on].median()), float((weights * torch.arange(BANDS)[:, None]).sum() / weights.sum())
