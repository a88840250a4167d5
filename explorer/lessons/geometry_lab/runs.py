"""The Geometry lab without its page: where points come from, and what is measured on a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.data.digest import digest
from explorer.data.toy2d import DEFAULT_WORD, points_from_drawing, points_from_image, toy2d, toy2d_names
from explorer.denoiser import Denoiser, ideal_denoiser
from explorer.lessons.views import View2D, view_2d
from explorer.metrics import NotFinite, sliced_wasserstein
from explorer.modes import default_modes
from explorer.once import once
from explorer.schedules import make_schedule
from explorer.zoo import pretrained_names

TRAINING_POINTS, FRESH_POINTS = 20_000, 2000
PERFECT_SETS = 100
DIRECTIONS = 8


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

    def as_json(self) -> dict[str, str]:
        """Plain values that are equal for equal sources; what the person gave is left to its digest."""
        return {"name": self.name, "text": self.text, "digest": self.digest}

    def draw(self, n: int, seed: int) -> Tensor:
        """n points, (n, 2). Raises ValueError, with a reason, where there is nothing to draw from."""
        if self.given is not None:
            return (points_from_drawing if self.name == "drawing" else points_from_image)(self.given, n, seed)
        return toy2d(self.name, n, seed, **({"text": self.text} if self.name == "word" else {}))


def given_source(name: str, given: np.ndarray) -> Source:
    """The source of a "drawing" or an "image"."""
    return Source(name, digest=digest(given), given=given)


def source_in(about: Mapping[str, Any], given: Iterable[Source]) -> Source | None:
    """What a file of weights says that it learned from, where that is here: a built-in distribution, a word, or one
    of the `given` drawings and images. `about` is the header of the file."""
    name, text, digest = (about.get(part) for part in ("distribution", "text", "digest"))
    if name == "word" and isinstance(text, str):
        word = Source(name, text.strip())
        try:
            points_of(word)
        except ValueError:
            return None
        return word
    if name in toy2d_names() and name != "word":
        return Source(name)
    return next((source for source in given if (source.name, source.digest) == (name, digest)), None)


@once(32)
@default_modes()
def points_of(source: Source) -> tuple[Tensor, Tensor]:
    """Training points (20,000, 2), and fresh ones (2,000, 2) that no model has seen; shared, so do not write."""
    return source.draw(TRAINING_POINTS, 0), source.draw(FRESH_POINTS, 1)


@once(8)
@default_modes()
def perfect_sets(source: Source) -> np.ndarray:
    """What a perfect model would make: 100 sets of 2,000 points drawn afresh, (100, 2000, 2); do not write."""
    return source.draw(PERFECT_SETS * FRESH_POINTS, 2).numpy().reshape(PERFECT_SETS, FRESH_POINTS, 2)


@once(256)
def perfect_range(source: Source, n: int) -> tuple[float, float]:
    """The distances that a perfect model gets with n samples, 2,000 at most: 5th to 95th percentile of 100 sets.

    As `sliced_wasserstein`, but along 8 directions spread evenly over the half circle: in the plane they agree
    with its 300 random ones within a few percent of a distance, at a fortieth of the cost.
    """
    fresh = points_of(source)[1].numpy()
    angles = np.pi * np.arange(DIRECTIONS, dtype=np.float32) / DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)])
    wanted = np.sort((fresh @ directions).T)
    same_quantile = (2 * np.arange(FRESH_POINTS) + 1) * n // (2 * FRESH_POINTS)
    squares = [
        np.square(np.sort((points[:n] @ directions).T)[:, same_quantile] - wanted).mean()
        for points in perfect_sets(source)
    ]
    low, high = np.sqrt(np.percentile(squares, [5, 95])).tolist()
    return low, high


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
        """Plain values that are equal for equal recipes."""
        return {"source": self.source.as_json(), "schedule": self.schedule, "prediction": self.prediction}

    def exact(self, examples: int) -> Denoiser:
        """The denoiser that recalls the first `examples` training points."""
        return ideal_denoiser(points_of(self.source)[0][:examples], make_schedule(self.schedule))


@dataclass(frozen=True)
class Settings:
    """One side of the stage: a recipe, how to sample it, and whether the exact model answers instead.

    What stands here is how the lab opens, and how the history of a training is measured.
    """

    recipe: Recipe
    sampler: str = "heun"
    steps: int = 12
    eta: float | None = None
    exact: bool = False
    examples: int = 500
    n: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """A view, and what was measured on it; `nearest` is the median distance to the exact model's examples.

    `distance` is the sliced 2-Wasserstein distance to fresh points, None where the model blew up, as `problem` then
    says; `perfect` the range of what a perfect model gets.
    """

    view: View2D
    distance: float | None
    perfect: tuple[float, float]
    nearest: float | None
    problem: str = ""


def run(denoiser: Denoiser, settings: Settings, recalled: bool) -> Run:
    """Sample and measure. `recalled` tells that the denoiser is the exact one."""
    source = settings.recipe.source
    training, fresh = points_of(source)
    view = view_2d(denoiser, settings.n, settings.sampler, settings.steps, settings.seed, settings.eta)
    samples, perfect = torch.from_numpy(view.samples), perfect_range(source, settings.n)
    try:
        distance = sliced_wasserstein(samples, fresh)
    except NotFinite as error:
        return Run(view, None, perfect, None, str(error))
    nearest = torch.cdist(samples, training[: settings.examples]).min(1).values.median() if recalled else None
    return Run(view, distance, perfect, nearest=None if nearest is None else float(nearest))
