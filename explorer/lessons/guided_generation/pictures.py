"""Pictures from prompts, and what goes on while they are drawn: guidance taken apart, and what each word looked at.

Images are (n, channels, height, width) in [-1, 1]. Nothing here is cached: that is for the caller to do.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.denoiser import Denoiser, expand
from explorer.lessons.views import view_scale
from explorer.metrics import finite, mean_pairwise_distance
from explorer.networks.judge import Judge
from explorer.networks.text import TextEncoder
from explorer.samplers import first_noise, sample, sample_steps


@dataclass(frozen=True)
class Asked:
    """What is asked for: `n` pictures of a prompt, and how. `negative` None is no condition."""

    prompt: str
    negative: str | None = None
    n: int = 4
    seed: int = 0
    guidance_scale: float = 4.0
    sampler: str = "ddim"
    steps: int = 20
    guidance_interval: tuple[float, float] | None = None

    def options(self) -> dict[str, Any]:
        """What `sample` takes for it."""
        return {
            "n": self.n,
            "sampler": self.sampler,
            "steps": self.steps,
            "seed": self.seed,
            "condition": self.prompt,
            "negative_condition": self.negative,
            "guidance_scale": self.guidance_scale,
            "guidance_interval": self.guidance_interval,
        }


@dataclass(frozen=True)
class Drawing:
    """Pictures and how they came: `t` (frames,) from noise to 0, `x` and `guess` float16 (frames, n, channels, height,
    width), x_t over sqrt(alpha^2 + sigma^2) and the model's x_0 for it; the last frame holds the pictures twice."""

    t: np.ndarray
    x: np.ndarray
    guess: np.ndarray
    seconds: float
    evaluations: int

    @property
    def pictures(self) -> np.ndarray:
        """(n, channels, height, width) float32 in [-1, 1]."""
        return self.x[-1].astype(np.float32).clip(-1, 1)


def draw(denoiser: Denoiser, asked: Asked) -> Drawing:
    """Draw what is asked for, text included. Raises `NotFinite` for a model that blew up."""
    began = time.perf_counter()
    walk = sample(denoiser, **asked.options())
    seconds = time.perf_counter() - began
    finite(walk.samples)
    x = walk.x / expand(view_scale(denoiser.schedule, walk.t).float(), walk.x)
    guess = torch.cat([walk.x0, walk.samples[None]])
    return Drawing(walk.t.numpy(), x.half().numpy(), guess.half().numpy(), seconds, walk.evaluations)


@dataclass(frozen=True)
class Anatomy:
    """Guidance at one step of a drawing, each part the x_0 that it stands for, (n, channels, height, width) float32:
    without the prompt (or with the negative one), with it, and what the scale makes of both. Their difference is
    `conditional - unconditional`."""

    t: float
    x: np.ndarray
    unconditional: np.ndarray
    conditional: np.ndarray
    guided: np.ndarray


@torch.no_grad()
def anatomy(denoiser: Denoiser, asked: Asked, step: int) -> Anatomy:
    """Take guidance apart at a step of a drawing, counted from 0. Raises ValueError for a step that it has not."""
    if not 0 <= step < asked.steps:
        raise ValueError(f"this drawing has the steps 0 to {asked.steps - 1}, not {step}")
    here = next(one for one in sample_steps(denoiser, **asked.options()) if one.index == step)
    conditional, unconditional = denoiser.predict_each(here.x, here.t, [asked.prompt, asked.negative])
    guided = unconditional.x0 + asked.guidance_scale * (conditional.x0 - unconditional.x0)
    x = here.x / float(view_scale(denoiser.schedule, torch.tensor(here.t)))
    parts = (x, unconditional.x0, conditional.x0, guided)
    return Anatomy(here.t, *(part.numpy() for part in parts))


@dataclass(frozen=True)
class Looks:
    """How much each place of a picture looked at each word while it was drawn.

    `words` are the pieces of the prompt, the first of them the start of every text; `t` (steps,); `maps` the weights by
    part of the network ("encoder 2", "middle", ...), (steps, n, words, height, width), means over the heads: at each
    place they add up to 1.
    """

    words: tuple[str, ...]
    t: np.ndarray
    maps: dict[str, np.ndarray]

    def of_size(self, side: int) -> np.ndarray:
        """The mean over the parts whose maps have this side, (steps, n, words, side, side). Raises ValueError where
        there is none."""
        fitting = [maps for maps in self.maps.values() if maps.shape[-1] == side]
        if not fitting:
            raise ValueError(f"no part looks at words on {side} x {side} places")
        return np.mean(fitting, axis=0)


@torch.no_grad()
def looks(denoiser: Denoiser, asked: Asked) -> Looks:
    """Draw what is asked for once more, and note at each step which words each place looks at."""
    encoder = text_encoder(denoiser)
    pieces = ("start", *encoder.vocabulary.pieces(asked.prompt))[: encoder.length]
    times: list[float] = []
    steps: list[dict[str, Tensor]] = []
    told = denoiser.read_condition(asked.prompt, asked.n)
    for one in sample_steps(denoiser, **asked.options()):
        if one.t == 0:
            break
        seen: dict[str, Tensor] = {}

        def look(name: str, weights: Tensor, seen: dict[str, Tensor] = seen) -> Tensor:
            side = math.isqrt(weights.shape[2])
            seen[name] = weights.mean(1).mT.unflatten(-1, (side, side))
            return weights

        denoiser.predict(one.x, one.t, told, look=look)
        times.append(one.t)
        steps.append(seen)
    maps = {name: torch.stack([seen[name] for seen in steps]).numpy() for name in steps[0]}
    return Looks(pieces, np.array(times), maps)


def text_encoder(denoiser: Denoiser) -> TextEncoder:
    """The encoder of a model that is told in words. Raises ValueError for any other model."""
    encoder = getattr(denoiser.network, "text", None)
    if not isinstance(encoder, TextEncoder):
        raise ValueError("this model is not told in words")
    return encoder


@dataclass(frozen=True)
class Swept:
    """One prompt over guidance scales: pictures (scales, n, channels, height, width), how different those of a scale
    are (mean distance of pairs), and the share that the judge names right, None without a judge."""

    scales: tuple[float, ...]
    pictures: np.ndarray
    diversity: tuple[float, ...]
    accuracy: tuple[float, ...] | None


def sweep(
    denoiser: Denoiser, asked: Asked, scales: Sequence[float], judge: Judge | None = None, concept: str | None = None
) -> Swept:
    """Draw one prompt, from the same noise, at each scale; `concept` is what the judge should see."""
    options = asked.options()
    drawn = []
    for scale in scales:
        options["guidance_scale"] = scale
        drawn.append(finite(sample(denoiser, **options, keep="last").samples).clamp(-1, 1))
    diversity = tuple(float(mean_pairwise_distance(images.flatten(1))) for images in drawn)
    accuracy = None
    if judge is not None and concept is not None:
        named = [[best for (best,) in judge.name(images, "concept")] for images in drawn]
        accuracy = tuple(names.count(concept) / len(names) for names in named)
    return Swept(tuple(scales), torch.stack(drawn).numpy(), diversity, accuracy)


@torch.no_grad()
def between(denoiser: Denoiser, first: str, second: str, count: int, asked: Asked) -> np.ndarray:
    """From one prompt to another on one noise, (count, channels, height, width): the texts' vectors are mixed."""
    encoder = text_encoder(denoiser)
    one, other = (encoder(encoder.read(text, count)) for text in (first, second))
    told = one.to(other, torch.linspace(0, 1, count))
    start = first_noise(denoiser, 1, asked.seed).expand(count, *denoiser.shape)
    options = asked.options() | {"n": count, "condition": told, "x_init": start}
    return finite(sample(denoiser, **options, keep="last").samples).clamp(-1, 1).numpy()
