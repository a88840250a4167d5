"""How near a cloned voice comes, and whether its words are understood, by a judge that the model never met."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explorer.audio.features import features
from explorer.data.speech.pronunciation import Word
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
    """What the judge heard: phones, and for each spoken word whether at least two thirds of its phones were heard in
    their place; the share of wrong phones."""

    heard: list[str]
    words: list[tuple[str, bool]]
    errors: float


def understood(audio: Tensor, words: Sequence[Word]) -> Understood:
    """Whether the words are understood in a sound (samples,)."""
    said = [word for word in words if word.text != ","]
    wanted = [phone.rstrip("012") for word in said for phone in word.phones]
    heard = listener().heard(features(audio)[None])[0]
    right, cost = aligned(wanted, heard)
    told, start = [], 0
    for word in said:
        part = right[start : start + len(word.phones)]
        start += len(word.phones)
        told.append((word.text, sum(part) >= 2 / 3 * len(part)))
    return Understood(heard, told, cost / max(1, len(wanted)))


def aligned(wanted: Sequence[str], heard: Sequence[str]) -> tuple[list[bool], int]:
    """Which of the wanted phones were heard, in the alignment with the fewest errors, and how many errors those are
    (Levenshtein 1966)."""
    cost = np.zeros((len(wanted) + 1, len(heard) + 1), int)
    cost[:, 0], cost[0] = np.arange(len(wanted) + 1), np.arange(len(heard) + 1)
    for i, one in enumerate(wanted, start=1):
        for j, other in enumerate(heard, start=1):
            cost[i, j] = min(cost[i - 1, j] + 1, cost[i, j - 1] + 1, cost[i - 1, j - 1] + (one != other))
    right, i, j = [False] * len(wanted), len(wanted), len(heard)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (wanted[i - 1] != heard[j - 1]):
            right[i - 1] = wanted[i - 1] == heard[j - 1]
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return right, int(cost[-1, -1])


@torch.no_grad()
def formants(seen: Tensor) -> float:
    """The centre of gravity of a voice's bands where it is voiced, in bands, for features (66, frames): higher for a
    shorter throat."""
    bands, voiced = seen[:64], seen[65] > 0
    if not bool(voiced.any()):
        return float("nan")
    weights = (2 * bands[:, voiced]).exp()
    return float((weights * torch.arange(64)[:, None]).sum() / weights.sum())
