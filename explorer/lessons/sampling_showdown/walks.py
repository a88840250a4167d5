"""Samplers against each other on one model: their walks, what is measured on them, and what a start decides.

Images are (n, channels, height, width) in [-1, 1]. Nothing here is cached: that is for the caller to do.
"""

import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.denoiser import Denoiser
from explorer.metrics import finite, is_finite, mean_pairwise_distance
from explorer.networks.classifier import Classifier
from explorer.samplers import (
    LANGEVIN_CALLS,
    SAMPLERS,
    Step,
    first_noise,
    invert,
    sample,
    sample_steps,
    sample_times,
)
from explorer.schedules import Schedule

MOST_FRAMES = 60
thread_seconds = (
    time.perf_counter if sys.platform == "win32" else time.thread_time
)  # Windows counts it in ticks of 16 ms


@dataclass(frozen=True)
class Method:
    """A sampler and its settings. `eta` None and `spacing` None are the sampler's own."""

    sampler: str = "ddim"
    steps: int = 20
    eta: float | None = None
    spacing: str | None = None

    def times(self, schedule: Schedule) -> Tensor:
        """The times that it visits and 0, (steps + 1,) float64."""
        return sample_times(schedule, self.steps, self.spacing or SAMPLERS[self.sampler].spacing)

    def asked(self, schedule: Schedule) -> list[float]:
        """The times of the estimates that a walk asks for, in no order."""
        visited = self.times(schedule)[:-1].tolist()
        if self.sampler == "langevin":
            return visited * LANGEVIN_CALLS
        return visited + visited[1:] * (self.sampler == "heun")


@dataclass(frozen=True)
class Start:
    """What methods have in common: how many images, the classes that they take in turn, guidance, and the seed.

    No classes: the null condition. `guidance_interval` is that of `sample`.
    """

    n: int = 16
    seed: int = 0
    classes: tuple[int, ...] = ()
    guidance_scale: float = 1.0
    guidance_interval: tuple[float, float] | None = None

    def labels(self) -> Tensor | None:
        """The condition, (n,) int64, or None."""
        return (
            torch.tensor(self.classes).repeat(math.ceil(self.n / len(self.classes)))[: self.n] if self.classes else None
        )

    def calls(self, denoiser: Denoiser, method: Method) -> int:
        """Network calls that a walk costs: two for each estimate that is guided."""
        asked = method.asked(denoiser.schedule)
        if not self.classes or self.guidance_scale == 1:
            return len(asked)
        low, high = self.guidance_interval or (-math.inf, math.inf)
        log_snr = denoiser.schedule.log_snr(torch.tensor(asked, dtype=torch.float64))
        return len(asked) + int(((low <= log_snr) & (log_snr <= high)).sum())


@dataclass(frozen=True)
class Walk:
    """A run, thinned to at most 61 frames, the start and the end among them.

    `step` and `t` are (frames,). `x` is what the walk holds then, over sqrt(alpha^2 + sigma^2), and `guess` the
    model's x_0 for it (at the end, the sample): float16 (frames, n, channels, height, width). `evaluations` are
    network calls, `seconds` as many times the median of what one took of a core, so that neither the first call of
    a process nor what else the machine does is counted.
    """

    step: np.ndarray
    t: np.ndarray
    x: np.ndarray
    guess: np.ndarray
    samples: np.ndarray
    seconds: float
    evaluations: int

    @property
    def finite(self) -> bool:
        """Whether its samples are numbers: those of a model that has blown up are not."""
        return is_finite(torch.tensor(self.samples))


def walk_steps(denoiser: Denoiser, method: Method, start: Start) -> Iterator[tuple[int, Walk | None]]:
    """Run a method a step at a time: (steps done, None), and last (steps, the walk)."""
    schedule = denoiser.schedule
    times = method.times(schedule)
    shown = set(np.unique(np.linspace(0, method.steps, min(method.steps, MOST_FRAMES) + 1).round().astype(int)))
    size = torch.hypot(schedule.alpha(times), schedule.sigma(times)).tolist()
    xs, guesses, steps = [], [], []
    last, taken = Step(0, 0.0, torch.empty(0), None, 0), []
    run = steps_of(denoiser, method, start)
    while True:
        began = thread_seconds()
        step = next(run, None)
        if step is None:
            break
        if step.index:
            taken.append((thread_seconds() - began) / (step.evaluations - last.evaluations))
        if step.x0 is not None and last.index in shown:
            guesses.append(step.x0.half())
        if step.index in shown:
            steps.append(step.index)
            xs.append((step.x / size[step.index]).half())
        last = step
        yield step.index, None
    guesses.append(last.x.half())
    seconds = last.evaluations * statistics.median(taken)
    at = np.array(steps)
    x, guess = (torch.stack(images).numpy() for images in (xs, guesses))
    yield last.index, Walk(at, times.numpy()[at], x, guess, last.x.numpy(), seconds, last.evaluations)


def walk(denoiser: Denoiser, method: Method, start: Start) -> Walk:
    """The whole run at once."""
    *_, (_, done) = walk_steps(denoiser, method, start)
    assert done is not None
    return done


@torch.no_grad()
def call_seconds(denoiser: Denoiser, n: int) -> float:
    """Seconds of one network call on n images on this machine: the quickest of three, after one to warm up."""
    x, t = torch.zeros(n, *denoiser.shape), (denoiser.schedule.t_min + denoiser.schedule.t_max) / 2
    taken = []
    for _ in range(4):
        began = thread_seconds()
        denoiser.predict(x, t)
        taken.append(thread_seconds() - began)
    return min(taken[1:])


def steps_of(denoiser: Denoiser, method: Method, start: Start, x_init: Tensor | None = None) -> Iterator[Step]:
    return sample_steps(
        denoiser,
        start.n,
        method.sampler,
        seed=start.seed,
        condition=start.labels(),
        guidance_scale=start.guidance_scale,
        guidance_interval=start.guidance_interval,
        eta=method.eta,
        x_init=x_init,
        times=method.times(denoiser.schedule),
    )


def one_clock(walks: Sequence[Walk]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The times of a common film, falling, and for each walk the frame to show at each of them.

    The clock ticks at the times of the walk with the most frames; another shows where it stands by then.
    """
    clock = max(walks, key=lambda walk: len(walk.t)).t
    frames = [np.searchsorted(-walk.t, -clock, side="right") - 1 for walk in walks]
    return clock, [frame.clip(min=0) for frame in frames]  # first times may differ by a rounding


def end(denoiser: Denoiser, method: Method, start: Start, x_init: Tensor) -> Tensor:
    """Where a method takes `x_init`, (n, *shape); the seed draws the noise that it adds on its way."""
    *_, last = steps_of(denoiser, method, start, x_init)
    return last.x


@dataclass(frozen=True)
class Repeats:
    """One starting noise, walked n times with fresh noise on the way: `images`, (n, *shape).

    `apart` is the largest difference of a pixel between two of the walks. `diversity` is the mean distance between
    two of them, in the classifier's features (None without a classifier), `spread` the same in pixels (root mean
    square).
    """

    images: np.ndarray
    apart: float
    diversity: float | None
    spread: float


def repeats(denoiser: Denoiser, method: Method, start: Start, classifier: Classifier | None = None) -> Repeats:
    """Walk `start.n` times, 2 at least, from the first noise of `start.seed`. Raises `NotFinite` for a model that
    blew up."""
    images = finite(_from_one_noise(denoiser, method, start))
    return Repeats(
        images.numpy(),
        apart=float((images.amax(0) - images.amin(0)).max()),
        diversity=None if classifier is None else mean_pairwise_distance(classifier.features(images)),
        spread=mean_pairwise_distance(images.flatten(1)) / images[0].numel() ** 0.5,
    )


def again(denoiser: Denoiser, method: Method, start: Start, images: np.ndarray) -> float:
    """The largest difference of a pixel when what `repeats` made is made once more from the same seed."""
    return float(np.abs(_from_one_noise(denoiser, method, start).numpy() - images).max())


def _from_one_noise(denoiser: Denoiser, method: Method, start: Start) -> Tensor:
    noise = first_noise(denoiser, 1, start.seed).expand(start.n, *denoiser.shape)
    return end(denoiser, method, start, noise)


def slerp(a: Tensor, b: Tensor, shares: Tensor) -> Tensor:
    """From a to b, (*shape) each, along the great circle; shares (k,) in [0, 1]; returns (k, *shape).

    (Shoemake 1985; Song, Meng and Ermon 2021, appendix D.5.) A straight line would pass through vectors that are
    shorter than noise is.
    """
    cosine = (a * b).sum() / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle < 1e-4:
        weights = 1 - shares, shares
    else:
        weights = torch.sin((1 - shares) * angle) / torch.sin(angle), torch.sin(shares * angle) / torch.sin(angle)
    of_a, of_b = (weight.reshape(-1, *[1] * a.ndim).to(a) for weight in weights)
    return of_a * a + of_b * b


def jumps(images: Tensor) -> Tensor:
    """Root mean square distance over the pixels of each image to the next, (n - 1,). Raises `NotFinite` for images of
    a model that blew up."""
    return finite(images).diff(dim=0).flatten(1).square().mean(1).sqrt()


@dataclass(frozen=True)
class RoundTrip:
    """An image, the noise that `invert` found (over sigma at t_max), and what DDIM makes of it again.

    `error` is the root mean squared difference of the pixels.
    """

    image: np.ndarray
    noise: np.ndarray
    back: np.ndarray
    error: float


def round_trip(denoiser: Denoiser, x0: Tensor, steps: int, condition: Any = None) -> RoundTrip:
    """Invert x0, (n, *shape), and sample from the noise that was found, both in `steps` steps. Raises `NotFinite` for
    a model that blew up."""
    noise = finite(invert(denoiser, x0, steps, condition))
    back = sample(denoiser, len(x0), "ddim", steps, condition=condition, x_init=noise, keep="last").samples
    finite(back)
    sigma = float(denoiser.schedule.sigma(denoiser.schedule.t_max))
    return RoundTrip(x0.numpy(), (noise / sigma).numpy(), back.numpy(), float((back - x0).square().mean().sqrt()))
