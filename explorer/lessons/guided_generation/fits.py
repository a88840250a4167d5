"""CLIP at work: which captions fit a picture, which pictures fit a caption, a map of concepts, CLIP as the guide."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explorer.data.emoji import emoji
from explorer.denoiser import Denoiser
from explorer.guidance import Climbing
from explorer.lessons.guided_generation.pictures import Asked
from explorer.metrics import finite
from explorer.modes import default_modes
from explorer.networks.clip import Clip
from explorer.once import once
from explorer.samplers import sample
from explorer.zoo import load_clip

BATCH = 256


@dataclass(frozen=True)
class Fit:
    """One of many, by its place among them, its name, and the cosine of its vector to what was asked, in [-1, 1]."""

    place: int
    name: str
    cosine: float


def _clip() -> Clip:
    return load_clip("emoji")


@once()
@default_modes()
@torch.no_grad()
def _of_sheet() -> Tensor:
    """The vectors of all pictures of the sheet."""
    return torch.cat([_clip().pictures(part) for part in emoji().images().split(BATCH)])


@once()
@default_modes()
@torch.no_grad()
def _of_concepts() -> Tensor:
    return _clip().texts(emoji().names())


def _best(fit: Tensor, names: list[str], count: int) -> list[Fit]:
    return [Fit(place, names[place], float(fit[place])) for place in fit.argsort(descending=True)[:count].tolist()]


@torch.no_grad()
def captions_of(picture: Tensor, count: int = 5) -> list[Fit]:
    """The concepts that fit a picture (3, height, width) in [-1, 1] best."""
    return _best(_of_concepts() @ _clip().pictures(finite(picture)[None])[0], emoji().names(), count)


@torch.no_grad()
def pictures_of(caption: str, count: int = 8) -> list[Fit]:
    """The pictures of the sheet that fit a caption best."""
    return _best(_of_sheet() @ _clip().texts([caption])[0], emoji().captions(), count)


@torch.no_grad()
def score(pictures: Tensor, caption: str) -> float:
    """The mean cosine between pictures (n, 3, height, width) and a caption."""
    return float((_clip().pictures(finite(pictures)) @ _clip().texts([caption])[0]).mean())


@once()
def concept_map() -> tuple[tuple[str, ...], np.ndarray, float]:
    """The concepts in the plane in which their vectors differ most (their first two principal components), (n, 2), and
    the share of their variance that it holds."""
    vectors = _of_concepts().numpy()
    centred = vectors - vectors.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    return tuple(emoji().names()), left[:, :2] * values[:2], float((values[:2] ** 2).sum() / (values**2).sum())


def climbed(denoiser: Denoiser, asked: Asked, strength: float) -> np.ndarray:
    """Pictures that nothing but CLIP guides, (n, channels, height, width): the model is told nothing, and each step
    climbs how well its guess fits the prompt."""
    clip = _clip()
    target = clip.texts([asked.prompt])[0].detach()
    guide = Climbing(denoiser, lambda x0: clip.pictures(x0) @ target, strength)
    options = asked.options() | {"condition": None, "negative_condition": None, "guidance_scale": 1.0}
    return finite(sample(guide, **options, keep="last").samples).clamp(-1, 1).numpy()
