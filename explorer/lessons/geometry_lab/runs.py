"""The Geometry lab without its page: where points come from, and what is measured on a run."""

import statistics
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.data.digest import digest
from explorer.data.toy2d import DEFAULT_WORD, points_from_drawing, points_from_image, toy2d
from explorer.denoiser import Denoiser, ideal_denoiser
from explorer.lessons.views import View2D, view_2d
from explorer.metrics import NotFinite, sliced_wasserstein
from explorer.modes import default_modes
from explorer.schedules import make_schedule
from explorer.zoo import pretrained_names

TRAINING_POINTS, FRESH_POINTS = 20_000, 2000
PAIRS = 5


@dataclass(frozen=True)
class Source:
    """A distribution: a built-in one; a typed word; or "drawing" or "image", with what the person gave, which
    its digest stands for: points (m, 2), or grey values (height, width)."""

    name: str
    text: str = ""
    digest: str = ""
    given: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def built_in(self) -> bool:
        """Whether everybody who chooses it gets the same points."""
        return not self.digest and self.text in ("", DEFAULT_WORD)

    def draw(self, n: int, seed: int) -> Tensor:
        """n points, (n, 2). Raises ValueError, with a reason, where there is nothing to draw from."""
        if self.given is not None:
            return (points_from_drawing if self.name == "drawing" else points_from_image)(self.given, n, seed)
        return toy2d(self.name, n, seed, **({"text": self.text} if self.name == "word" else {}))


def given_source(name: str, given: np.ndarray) -> Source:
    """The source of a "drawing" or an "image"."""
    return Source(name, digest=digest(given), given=given)


@lru_cache(maxsize=32)
@default_modes()
def points_of(source: Source) -> tuple[Tensor, Tensor]:
    """Training points (20,000, 2), and fresh ones (2,000, 2) that no model has seen; shared, so do not write."""
    return source.draw(TRAINING_POINTS, 0), source.draw(FRESH_POINTS, 1)


@lru_cache(maxsize=64)
@default_modes()
def floor_of(source: Source, n: int) -> float:
    """What n samples of a perfect model would reach: their distance to fresh points, median over 5 sets."""
    fresh = points_of(source)[1]
    return statistics.median(sliced_wasserstein(source.draw(n, 2 + k), fresh) for k in range(PAIRS))


@dataclass(frozen=True)
class Recipe:
    """What makes one model different from another: its data, its schedule and what it predicts."""

    source: Source
    schedule: str
    prediction: str

    @property
    def shipped(self) -> str | None:
        """The name of the shipped model that fits, if one does."""
        name = f"toy2d-{self.source.name}-{self.schedule}-{self.prediction}"
        return name if self.source.built_in and name in pretrained_names() else None

    def as_json(self) -> dict[str, Any]:
        """Plain values that are equal for equal recipes; what the person gave is left to its digest."""
        source = {"name": self.source.name, "text": self.source.text, "digest": self.source.digest}
        return {"source": source, "schedule": self.schedule, "prediction": self.prediction}

    def exact(self, examples: int) -> Denoiser:
        """The denoiser that recalls the first `examples` training points."""
        return ideal_denoiser(points_of(self.source)[0][:examples], make_schedule(self.schedule))


@dataclass(frozen=True)
class Settings:
    """One side of the stage: a recipe, how to sample it, and whether the exact model answers instead."""

    recipe: Recipe
    sampler: str = "heun"
    steps: int = 20
    eta: float | None = None
    exact: bool = False
    examples: int = 500
    n: int = 1500
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """A view, and what was measured on it; `nearest` is the median distance to the exact model's examples.

    `distance` is the sliced 2-Wasserstein distance to fresh points, None where the model blew up, as `problem` then
    says; `floor` what a perfect model reaches.
    """

    view: View2D
    distance: float | None
    floor: float
    nearest: float | None
    problem: str = ""


def run(denoiser: Denoiser, settings: Settings, recalled: bool) -> Run:
    """Sample and measure. `recalled` tells that the denoiser is the exact one."""
    source = settings.recipe.source
    training, fresh = points_of(source)
    view = view_2d(denoiser, settings.n, settings.sampler, settings.steps, settings.seed, settings.eta)
    samples, floor = torch.from_numpy(view.samples), floor_of(source, settings.n)
    try:
        distance = sliced_wasserstein(samples, fresh)
    except NotFinite as error:
        return Run(view, None, floor, None, str(error))
    nearest = torch.cdist(samples, training[: settings.examples]).min(1).values.median() if recalled else None
    return Run(view, distance, floor, nearest=None if nearest is None else float(nearest))
