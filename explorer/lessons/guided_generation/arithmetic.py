"""Prompts as vectors: a word swapped while the picture stays, and one prompt minus another plus a third."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from explorer.denoiser import Denoiser, Estimate
from explorer.lessons.guided_generation.pictures import Asked, text_encoder
from explorer.metrics import finite
from explorer.networks.text import SPECIAL, Text, TextEncoder, filled
from explorer.samplers import SAMPLERS, first_noise, sample, sample_times


class Attending(Denoiser):
    """A denoiser in whose batches the second n samples look at words as the first n do, from noise down to `until`.

    Prompt-to-prompt (Hertz et al. 2022): where each word acts is decided early, so a picture keeps its layout when a
    word is swapped for another in its place.
    """

    def __init__(self, denoiser: Denoiser, n: int, until: float):
        super().__init__(denoiser.network, denoiser.schedule, denoiser.prediction, denoiser.shape)
        self.n, self.until = n, until

    def predict(self, x_t: Tensor, t: Tensor | float, condition: Any = None, **options: Any) -> Estimate:
        def look(_: str, weights: Tensor) -> Tensor:
            first, _, *rest = weights.split(self.n)
            return torch.cat([first, first, *rest])

        early = float(torch.as_tensor(t, dtype=torch.float64).max()) > self.until
        return super().predict(x_t, t, condition, **({**options, "look": look} if early else options))


def swap(denoiser: Denoiser, asked: Asked, other: str, kept: float) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a prompt and, from the same noise, of `other`, which looks as the first did for the share `kept` of
    the steps; each (n, channels, height, width). Raises ValueError where they have not equally many words."""
    encoder = text_encoder(denoiser)
    one, two = (encoder.vocabulary.pieces(text) for text in (asked.prompt, other))
    if len(one) != len(two):
        raise ValueError(f"the prompts must have as many words as each other, not {len(one)} and {len(two)}")
    if not 0 <= kept <= 1:
        raise ValueError(f"kept must lie in [0, 1], not {kept}")
    times = sample_times(denoiser.schedule, asked.steps, SAMPLERS[asked.sampler].spacing)
    steps = round(kept * asked.steps)
    until = float(times[steps - 1] + times[steps]) / 2 if steps else 2.0
    start = first_noise(denoiser, asked.n, asked.seed).repeat(2, 1, 1, 1)
    options = asked.options() | {
        "n": 2 * asked.n,
        "condition": [asked.prompt] * asked.n + [other] * asked.n,
        "negative_condition": None if asked.negative is None else [asked.negative] * (2 * asked.n),
        "x_init": start,
    }
    drawn = finite(sample(Attending(denoiser, asked.n, until), **options, keep="last").samples).clamp(-1, 1).numpy()
    return drawn[: asked.n], drawn[asked.n :]


def placed(plus: Sequence[str], minus: Sequence[str], and_plus: Sequence[str]) -> tuple[int, int]:
    """Where the words of `minus` and `and_plus` begin in a sum, counted in words of `plus`: the first where it has
    them, or else at its end, and the other one so that both end together."""
    found = [place for place in range(len(plus)) if minus and list(plus[place : place + len(minus)]) == list(minus)]
    end = found[0] + len(minus) if found else len(plus)
    return max(0, end - len(minus)), max(0, end - len(and_plus))


def shifted(text: Text, places: int) -> Text:
    """The same texts with that many empty places behind their start."""
    start, words = text.vectors[:, :1], text.vectors[:, 1:]
    empty = torch.zeros_like(text.mask[:, :1]).expand(-1, places)
    mask = torch.cat([text.mask[:, :1], empty, text.mask[:, 1:]], 1)
    return Text(torch.cat([start.expand(-1, places + 1, -1), words], 1), mask, text.pooled)


@torch.no_grad()
def plus_minus(denoiser: Denoiser, plus: str, minus: str, and_plus: str, asked: Asked) -> np.ndarray:
    """Pictures of plus - minus + and_plus, (n, channels, height, width): the texts' vectors and their means are added
    up, where `placed` puts their words; a place counts where the first or the third text has a word."""
    encoder = text_encoder(denoiser)
    first = (0, *placed(*(encoder.vocabulary.pieces(text) for text in (plus, minus, and_plus))))
    texts = [encoder(encoder.read(text, asked.n)) for text in (plus, minus, and_plus)]
    one, less, more = filled(*map(shifted, texts, first))
    masked = [text.vectors * text.mask[..., None] for text in (one, less, more)]
    told = Text(masked[0] - masked[1] + masked[2], one.mask | more.mask, one.pooled - less.pooled + more.pooled)
    drawn = sample(denoiser, **(asked.options() | {"condition": told}), keep="last").samples
    return finite(drawn).clamp(-1, 1).numpy()


@torch.no_grad()
def nearest_words(encoder: TextEncoder, words: Sequence[tuple[str, int]], count: int = 5) -> list[tuple[str, float]]:
    """The known words whose vectors point most nearly the way of a sum, such as [("king", 1), ("man", -1)], with their
    cosines; those of the sum itself are left out. Raises ValueError for a word that is not known."""
    vocabulary, table = encoder.vocabulary, encoder.words.vectors
    if unknown := [word for word, _ in words if word not in vocabulary]:
        raise ValueError(f"this model has never seen “{unknown[0]}”")
    known = functional.normalize(table[SPECIAL:], dim=1)
    wanted = torch.stack([sign * known[vocabulary.words.index(word)] for word, sign in words]).sum(0)
    fit = known @ functional.normalize(wanted, dim=0)
    taken = {word for word, _ in words}
    order = [number for number in fit.argsort(descending=True).tolist() if vocabulary.words[number] not in taken]
    return [(vocabulary.words[number], float(fit[number])) for number in order[:count]]
