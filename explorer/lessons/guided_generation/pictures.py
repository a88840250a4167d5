"""Pictures from prompts, and what goes on while they are drawn: guidance taken apart, and what each word looked at.

Images are (n, channels, height, width) in [-1, 1]. Nothing here is cached: that is for the caller to do.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.denoiser import Denoiser, expand
from explorer.lessons.views import view_scale
from explorer.metrics import finite
from explorer.networks.text import TextEncoder
from explorer.samplers import first_noise, sample


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

    def x_t(self, denoiser: Denoiser, step: int) -> Tensor:
        """What the network was shown at a step, (n, channels, height, width) float32."""
        t = torch.tensor(float(self.t[step]), dtype=torch.float64)
        return torch.from_numpy(self.x[step]).float() * float(view_scale(denoiser.schedule, t))


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
def anatomy(denoiser: Denoiser, asked: Asked, drawn: Drawing, step: int) -> Anatomy:
    """Take guidance apart at a step of a drawing, counted from 0. Raises ValueError for a step that it has not."""
    if not 0 <= step < len(drawn.t) - 1:
        raise ValueError(f"this drawing has the steps 0 to {len(drawn.t) - 2}, not {step}")
    t = float(drawn.t[step])
    told = [asked.prompt, asked.negative]
    conditional, unconditional = denoiser.predict_each(drawn.x_t(denoiser, step), t, told)
    guided = unconditional.x0 + asked.guidance_scale * (conditional.x0 - unconditional.x0)
    x, without, told_so = drawn.x[step].astype(np.float32), unconditional.x0.numpy(), conditional.x0.numpy()
    return Anatomy(t, x, without, told_so, guided.numpy())


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


@torch.no_grad()
def looks(denoiser: Denoiser, asked: Asked, drawn: Drawing) -> Looks:
    """Which words each place of a drawing looks at, at each of its steps."""
    encoder = text_encoder(denoiser)
    pieces = ("start", *encoder.vocabulary.pieces(asked.prompt))[: encoder.length]
    steps: list[dict[str, Tensor]] = []
    told = denoiser.read_condition(asked.prompt, asked.n)
    for step in range(len(drawn.t) - 1):
        seen: dict[str, Tensor] = {}

        def look(name: str, weights: Tensor, seen: dict[str, Tensor] = seen) -> Tensor:
            side = math.isqrt(weights.shape[2])
            seen[name] = weights.mean(1).mT.unflatten(-1, (side, side))
            return weights

        denoiser.predict(drawn.x_t(denoiser, step), float(drawn.t[step]), told, look=look)
        steps.append(seen)
    maps = {name: torch.stack([seen[name] for seen in steps]).numpy() for name in steps[0]}
    return Looks(pieces, drawn.t[:-1], maps)


def text_encoder(denoiser: Denoiser) -> TextEncoder:
    """The encoder of a model that is told in words. Raises ValueError for any other model."""
    encoder = getattr(denoiser.network, "text", None)
    if not isinstance(encoder, TextEncoder):
        raise ValueError("this model is not told in words")
    return encoder


@torch.no_grad()
def between(denoiser: Denoiser, first: str, second: str, count: int, asked: Asked) -> np.ndarray:
    """From one prompt to another on one noise, (count, channels, height, width): the texts' vectors are mixed."""
    encoder = text_encoder(denoiser)
    one, other = (encoder(encoder.read(text, count)) for text in (first, second))
    told = one.to(other, torch.linspace(0, 1, count))
    start = first_noise(denoiser, 1, asked.seed).expand(count, *denoiser.shape)
    options = asked.options() | {"n": count, "condition": told, "x_init": start}
    return finite(sample(denoiser, **options, keep="last").samples).clamp(-1, 1).numpy()
