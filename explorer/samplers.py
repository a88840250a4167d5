"""From noise to data: each sampler is one function that walks down a list of times.

A sampler sees a function that predicts (x_0, eps) at a time, the current x, and the points of
the walk; it yields the x it arrives at and the guess of x_0 that took it there. The last point
may be t = 0, where alpha = 1 and sigma = 0: every sampler then ends with the model's x_0.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Tensor

from explorer.arguments import number, seeded, tensor_of, whole_number
from explorer.denoiser import Denoiser
from explorer.guidance import Predict, guided
from explorer.schedules import Schedule

Noise = Callable[[Tensor], Tensor]
Walk = Iterator[tuple[Tensor, Tensor]]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Point:
    """A time of the walk and the schedule there."""

    t: float
    alpha: float
    sigma: float
    log_snr: float


def points_of(schedule: Schedule, times: Tensor) -> list[Point]:
    """The schedule at each of `times`, (k,)."""
    times = times.to(torch.float64)
    columns = (times, schedule.alpha(times), schedule.sigma(times), schedule.log_snr(times))
    return [Point(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def ddim(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise, eta: float = 0.0) -> Walk:
    """Song, Meng and Ermon, Denoising diffusion implicit models, 2021, eq. 12, for any (alpha, sigma).

    eta in [0, 1] is the share of the posterior's noise that is drawn afresh: 0 is deterministic,
    1 is DDPM.
    """
    for now, after in pairwise(points):
        estimate = predict(x, now.t)
        fresh = eta * after.sigma * math.sqrt(-math.expm1(now.log_snr - after.log_snr))
        kept = math.sqrt(max(after.sigma**2 - fresh**2, 0.0))
        x = after.alpha * estimate.x0 + kept * estimate.epsilon
        if fresh > 0:
            x = x + fresh * noise(x)
        yield x, estimate.x0


def ddpm(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise, eta: float = 1.0) -> Walk:
    """Ho, Jain and Abbeel, Denoising diffusion probabilistic models, 2020, algorithm 2.

    Draws from the posterior q(x_s | x_t, x_0) with the model's x_0, which is DDIM with eta = 1.
    """
    return ddim(predict, x, points, noise, eta)


def euler(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise) -> Walk:
    """Euler's method on the probability-flow ODE, dx = x_0 d alpha + eps d sigma.

    Steps along the curve (alpha, sigma) and not along t, so that it does not matter how a schedule
    counts its time. That makes it Karras et al.'s Euler on `edm`, the usual one on `flow`, and
    DDIM with eta = 0 on all of them.
    """
    for now, after in pairwise(points):
        estimate = predict(x, now.t)
        x = x + (after.alpha - now.alpha) * estimate.x0 + (after.sigma - now.sigma) * estimate.epsilon
        yield x, estimate.x0


def heun(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise) -> Walk:
    """Heun's second-order method on the same ODE (Karras et al. 2022, algorithm 1); the last step is Euler's."""
    for now, after in pairwise(points):
        d_alpha, d_sigma = after.alpha - now.alpha, after.sigma - now.sigma
        first = predict(x, now.t)
        ahead = x + d_alpha * first.x0 + d_sigma * first.epsilon
        if after.sigma > 0:
            second = predict(ahead, after.t)
            ahead = x + d_alpha / 2 * (first.x0 + second.x0) + d_sigma / 2 * (first.epsilon + second.epsilon)
        x = ahead
        yield x, first.x0


def dpmpp_2m(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise) -> Walk:
    """DPM-Solver++(2M) of Lu et al. 2022, algorithm 2: extrapolates x_0 from the step before; one call a step."""
    before: Point | None = None
    x0_before = x
    for now, after in pairwise(points):
        x0 = predict(x, now.t).x0
        towards = x0
        if before is not None and after.sigma > 0:
            ratio = (now.log_snr - before.log_snr) / (after.log_snr - now.log_snr)
            towards = x0 + (x0 - x0_before) / (2 * ratio)
        shrink = math.expm1((now.log_snr - after.log_snr) / 2)
        x = after.sigma / now.sigma * x - after.alpha * shrink * towards
        before, x0_before = now, x0
        yield x, x0


def euler_maruyama(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise) -> Walk:
    """The reverse-time SDE (Anderson 1982; Song et al. 2021, eq. 6), by Euler-Maruyama.

    The ODE's step, and half the variance g^2 dt of the forward step removed along eps and
    put back as fresh noise.
    """
    for now, after in pairwise(points):
        estimate = predict(x, now.t)
        if after.sigma == 0:
            yield estimate.x0, estimate.x0
            return
        added = -(now.sigma**2) * math.expm1(now.log_snr - after.log_snr)
        slope = after.sigma - now.sigma - added / (2 * now.sigma)
        x = x + (after.alpha - now.alpha) * estimate.x0 + slope * estimate.epsilon + math.sqrt(added) * noise(x)
        yield x, estimate.x0


LANGEVIN_CALLS = 6
LANGEVIN_STEP = 0.5


def langevin(predict: Predict, x: Tensor, points: Sequence[Point], noise: Noise) -> Walk:
    """Annealed Langevin dynamics (Song and Ermon 2019, algorithm 1), each point one noise level.

    At each level a few steps x <- x + (d / 2) score + sqrt(d) z with d = 0.5 sigma^2, then x is
    scaled to the next level's alpha; the final x_0 removes the noise that is left (Jolicoeur-Martineau
    et al. 2021).
    """
    for now, after in pairwise(points):
        for _ in range(LANGEVIN_CALLS - 1):
            estimate = predict(x, now.t)
            x = x - now.sigma * (LANGEVIN_STEP / 2 * estimate.epsilon - math.sqrt(LANGEVIN_STEP) * noise(x))
        x0 = predict(x, now.t).x0
        x = x0 if after.sigma == 0 else after.alpha / now.alpha * x
        yield x, x0


@dataclass(frozen=True)
class Sampler:
    """A walk, and what a page says of it."""

    walk: Callable[..., Walk]
    label: str
    stochastic: bool = False
    spacing: Literal["time", "log_snr"] = "time"


SAMPLERS = {
    "ddpm": Sampler(ddpm, "DDPM", stochastic=True),
    "ddim": Sampler(ddim, "DDIM"),
    "euler": Sampler(euler, "Euler"),
    "heun": Sampler(heun, "Heun"),
    "dpmpp_2m": Sampler(dpmpp_2m, "DPM-Solver++(2M)"),
    "euler_maruyama": Sampler(euler_maruyama, "Euler-Maruyama (SDE)", stochastic=True),
    "langevin": Sampler(langevin, "Annealed Langevin", stochastic=True, spacing="log_snr"),
}


def sampler_names() -> list[str]:
    """Names that `sample` takes."""
    return list(SAMPLERS)


SPACINGS = {
    "time": "Uniform in t",
    "quadratic": "Quadratic",
    "karras": "Karras",
    "log_snr": "Uniform in log-SNR",
}
KARRAS_RHO = 7.0


def sample_times(schedule: Schedule, steps: int, spacing: str = "time") -> Tensor:
    """`steps` times from t_max to t_min, then 0; (steps + 1,) float64.

    Uniform in "time" or in "log_snr"; "quadratic", uniform in the root of t (Song, Meng and Ermon 2021,
    appendix D.2); or "karras", uniform in the seventh root of sigma / alpha (Karras et al. 2022, eq. 5).
    Raises ValueError for another spacing, or no step.
    """
    steps = whole_number(steps, "steps", least=1)
    if spacing not in SPACINGS:
        raise ValueError(f"no spacing is called {spacing!r}; choose one of {', '.join(SPACINGS)}")
    if spacing == "time":
        return schedule.times(steps)
    ends = torch.tensor([schedule.t_max, schedule.t_min], dtype=torch.float64, device="cpu")

    def between(start: Tensor, end: Tensor) -> Tensor:
        return torch.linspace(float(start), float(end), steps, dtype=torch.float64, device="cpu")

    if spacing == "quadratic":
        inner = between(*ends.sqrt()).square()
    elif spacing == "log_snr":
        inner = schedule.time_of_log_snr(between(*schedule.log_snr(ends)))
    else:
        roots = between(*torch.exp(-schedule.log_snr(ends) / (2 * KARRAS_RHO)))
        inner = schedule.time_of_log_snr(-2 * KARRAS_RHO * roots.log())
    return torch.cat([inner.clamp(schedule.t_min, schedule.t_max), inner.new_zeros(1)])


def first_noise(denoiser: Denoiser, n: int, seed: int) -> Tensor:
    """x at t_max where `sample` starts, (n, *shape): sigma(t_max) times unit noise."""
    noise = torch.randn(n, *denoiser.shape, generator=seeded(seed))
    return noise * float(denoiser.schedule.sigma(denoiser.schedule.t_max))


@dataclass(frozen=True)
class Step:
    """One step of a sampler: x at time t, (n, *shape), and the guess of x_0 that led there (None at the start).

    The tensors are copies: what is done to them does not change the walk.
    """

    index: int
    t: float
    x: Tensor
    x0: Tensor | None
    evaluations: int


@dataclass(frozen=True)
class Trajectory:
    """What `sample` returns; with keep="last", x and x0 hold the last step alone."""

    x: Tensor
    """(steps + 1, n, *shape), noise first."""
    x0: Tensor
    """(steps, n, *shape), the guess of the clean sample at each step."""
    t: Tensor
    """(steps + 1,) float64."""
    evaluations: int
    """Network calls; a guided estimate needs two, which a network may compute side by side."""

    @property
    def samples(self) -> Tensor:
        """(n, *shape), the end of the walk."""
        return self.x[-1]


@torch.no_grad()
def sample_steps(
    denoiser: Denoiser,
    n: int,
    sampler: str = "ddim",
    steps: int = 50,
    seed: int = 0,
    condition: Any = None,
    negative_condition: Any = None,
    guidance_scale: float = 1.0,
    eta: float | None = None,
    x_init: Tensor | None = None,
    times: Tensor | Sequence[float] | None = None,
    keep: Literal["all", "last"] = "all",
    guidance_interval: tuple[float, float] | None = None,
) -> Iterator[Step]:
    """The walk of `sample`, a step at a time, the start included. Takes what `sample` takes; raises what it raises."""
    if sampler not in SAMPLERS:
        raise ValueError(f"no sampler is called {sampler!r}; choose one of {', '.join(SAMPLERS)}")
    if keep not in ("all", "last"):
        raise ValueError(f'keep must be "all" or "last", not {keep!r}')
    eta = None if eta is None else number(eta, "eta")
    if eta is not None and not 0 <= eta <= 1:
        raise ValueError(f"eta must lie between 0 and 1, not {eta}")
    if eta is not None and sampler not in ("ddpm", "ddim"):
        raise ValueError(f"eta belongs to ddpm and ddim; {sampler} has none")
    n, steps = whole_number(n, "n", least=1), whole_number(steps, "steps", least=1)
    chosen, schedule = SAMPLERS[sampler], denoiser.schedule
    if times is None:
        times = sample_times(schedule, steps, chosen.spacing)
    times = tensor_of(times, dtype=torch.float64, device="cpu")
    falling = times.ndim == 1 and len(times) > 1 and 1 >= times[0] > times[-1] >= 0 and bool((times.diff() < 0).all())
    if not falling or not bool(schedule.log_snr(times[:-1]).isfinite().all()):
        raise ValueError("times must fall within [0, 1], two of them at least, and start below pure noise")

    bare = torch.zeros(1, dtype=torch.float32, device="cpu")
    weights = next(denoiser.parameters(), next(denoiser.buffers(), bare))
    generator = seeded(seed, weights.device)

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)

    points = points_of(schedule, times)
    x = noise(weights.new_empty(n, *denoiser.shape)) * points[0].sigma
    if x_init is not None:  # what was drawn is dropped: a start made from the same seed must not meet its noise again
        x_init = tensor_of(x_init, device=x.device)
        if x_init.is_complex():
            raise ValueError(f"x_init must hold real numbers, not {x_init.dtype}")
        x = x_init.to(x, copy=True)
    if x.shape != (n, *denoiser.shape):
        raise ValueError(f"x_init has shape {tuple(x.shape)}, but n samples have shape {(n, *denoiser.shape)}")
    condition, negative_condition = (denoiser.read_condition(each, n) for each in (condition, negative_condition))
    predict, calls = guided(denoiser, condition, negative_condition, guidance_scale, guidance_interval)
    evaluations = 0

    def counted(x_t: Tensor, t: float) -> Any:
        nonlocal evaluations
        evaluations += calls(t)
        return predict(x_t, t)

    torch.clear_autocast_cache()  # it may hold weights that have been changed since; so after each turn of a caller's
    if keep == "all":
        yield Step(0, points[0].t, x.clone(), None, 0)
    options = {} if eta is None else {"eta": eta}
    walk = chosen.walk(counted, x, points, noise, **options)
    for index, (after, (x, x0)) in enumerate(zip(points[1:], walk, strict=True), start=1):
        if keep == "all" or after is points[-1]:
            yield Step(index, after.t, x.clone(), x0.clone(), evaluations)
            torch.clear_autocast_cache()


def _with_the_parameters_of(other: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Lets a function that hands all its arguments on to `other` be seen and checked with the parameters of `other`."""

    def dress(function: Callable[..., R]) -> Callable[P, R]:
        returned = inspect.signature(function).return_annotation
        signature = inspect.signature(other).replace(return_annotation=returned)
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return dress


@_with_the_parameters_of(sample_steps)
def sample(*arguments: Any, **options: Any) -> Trajectory:
    """Draw n samples.

    `steps` counts the times visited, spread from t_max to t_min (noise levels for "langevin"); the walk
    ends with the model's x_0. `times` replaces them: falling, (k + 1,), ending with 0 or at an interior
    time. `x_init`, (n, *shape), is x at the first time; otherwise it is sigma(t_max) times noise from
    `seed`. `condition` and `negative_condition` are what the network takes: n class numbers or one for all,
    None for none. `guidance_interval` is the lowest and the highest log-SNR at which `guidance_scale` holds, None
    for all. `eta` is None (1 for ddpm, 0 for ddim) or in [0, 1]. `keep` is "all", or "last" for the end of the
    walk alone. Raises ValueError for an unknown sampler, bad times, shapes, conditions or intervals.
    """
    walked = list(sample_steps(*arguments, **options))
    return Trajectory(
        torch.stack([step.x for step in walked]),
        torch.stack([step.x0 for step in walked if step.x0 is not None]),
        torch.tensor([step.t for step in walked], dtype=torch.float64, device="cpu"),
        walked[-1].evaluations,
    )


@torch.no_grad()
def invert(denoiser: Denoiser, x0: Tensor, steps: int, condition: Any = None, spacing: str = "time") -> Tensor:
    """The noise at t_max that DDIM turns into x0, (n, *shape): its deterministic step, taken upwards.

    (Song, Meng and Ermon 2021, section 5.4.) The walk starts at t_min, where an image is as good as clean, and
    visits the times of a sampler of as many steps in reverse. Raises ValueError for fewer than 2 steps.
    """
    if steps < 2:
        raise ValueError(f"an inversion visits t_min and t_max: steps must be at least 2, not {steps}")
    points = points_of(denoiser.schedule, sample_times(denoiser.schedule, steps, spacing)[:-1].flip(0))
    start = points[0].alpha * x0
    for x, _ in euler(lambda x_t, t: denoiser.predict(x_t, t, condition), start, points, torch.zeros_like):
        last = x
    return last
