"""Trajectories and fields in view units, x_t / sqrt(alpha^2 + sigma^2), so that all schedules fit one stage."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explorer.denoiser import Denoiser, expand
from explorer.samplers import SAMPLERS, sample, sample_times
from explorer.schedules import Schedule

EXTENT = 3.0
MESH_EXTENT, MESH_LINES = 2.6, 17
FIELD_LINES, MOST_FIELDS = 17, 20
FAN = 24


@dataclass(frozen=True)
class View2D:
    """What a stage shows of one run of a sampler; all arrays float32, noise first.

    x (frames, n, 2); x0 (frames - 1, n, 2); t (frames,); mesh (frames, lines, lines, 2) or None for a
    stochastic sampler; field and score (frames, lines, lines, 2): where the sampler moves a point of the
    stage, and the gradient of the log-density there, asked at up to 20 of the times and linear between them.
    `samples` (n, 2) is the end of the run, `seconds` what the walk of the points (and the mesh) took.
    """

    x: np.ndarray
    x0: np.ndarray
    t: np.ndarray
    mesh: np.ndarray | None
    field: np.ndarray
    score: np.ndarray
    evaluations: int
    seconds: float

    @property
    def samples(self) -> np.ndarray:
        return self.x[-1]


def view_scale(schedule: Schedule, t: Tensor) -> Tensor:
    """sqrt(alpha^2 + sigma^2), the standard deviation of x_t over unit-scale data; shape of t."""
    return torch.hypot(schedule.alpha(t), schedule.sigma(t))


def _square(extent: float, lines: int) -> Tensor:
    """(lines * lines, 2): a regular grid over [-extent, extent]^2, row by row from the lowest y."""
    axis = torch.linspace(-extent, extent, lines)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def view_2d(
    denoiser: Denoiser, n: int = 2000, sampler: str = "heun", steps: int = 30, seed: int = 0, eta: float | None = None
) -> View2D:
    """Sample n points, as `sample` does, and everything else that a stage can show."""
    schedule = denoiser.schedule
    times = sample_times(schedule, steps, SAMPLERS[sampler].spacing)
    scale = view_scale(schedule, times).float()
    x_init = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)) * schedule.sigma(times[0]).float()
    with_mesh = not is_stochastic(sampler, eta)
    if with_mesh:
        x_init = torch.cat([x_init, _square(MESH_EXTENT, MESH_LINES) * scale[0]])

    began = time.perf_counter()
    run = sample(denoiser, len(x_init), sampler, steps, seed, eta=eta, x_init=x_init)
    seconds = time.perf_counter() - began

    walk = run.x / expand(scale, run.x)
    asked = np.linspace(0, steps - 1, min(steps, MOST_FIELDS)).round().astype(int)
    field, score = (_between(fields, asked, len(times)) for fields in fields_2d(denoiser, times[asked]))
    return View2D(
        x=walk[:, :n].numpy(),
        x0=run.x0[:, :n].numpy(),
        t=run.t.float().numpy(),
        mesh=walk[:, n:].reshape(-1, MESH_LINES, MESH_LINES, 2).numpy() if with_mesh else None,
        field=field,
        score=score,
        evaluations=run.evaluations,
        seconds=seconds,
    )


def _between(fields: np.ndarray, asked: np.ndarray, frames: int) -> np.ndarray:
    """(frames, ...): the fields of the frames `asked`, (k,) rising, linear between two and constant after the last."""
    position = np.interp(np.arange(frames), asked, np.arange(len(asked)))
    before = position.astype(int)
    share = (position - before).astype(np.float32)[:, None, None, None]
    with np.errstate(invalid="ignore"):  # of a model that blew up
        return fields[before] * (1 - share) + fields[np.minimum(before + 1, len(asked) - 1)] * share


def is_stochastic(sampler: str, eta: float | None) -> bool:
    """Whether two runs from one start differ."""
    return SAMPLERS[sampler].stochastic if eta is None else eta > 0


def fan_2d(
    denoiser: Denoiser, start: tuple[float, float], sampler: str, steps: int, seed: int, eta: float | None = None
) -> np.ndarray:
    """The path of a particle that starts at a place of the stage, (frames, k, 2) in view units.

    k is 1 for a deterministic sampler and a fan of 24 for a stochastic one.
    """
    times = sample_times(denoiser.schedule, steps, SAMPLERS[sampler].spacing)
    scale = view_scale(denoiser.schedule, times).float()
    x_init = torch.tensor([start]).repeat(FAN if is_stochastic(sampler, eta) else 1, 1) * scale[0]
    run = sample(denoiser, len(x_init), sampler, steps, seed, eta=eta, x_init=x_init)
    return (run.x / expand(scale, run.x)).numpy()


@torch.no_grad()
def fields_2d(denoiser: Denoiser, times: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Velocity towards the data and score over the stage at each of `times`, (frames,), in view units.

    With u = x / r and r = sqrt(alpha^2 + sigma^2), the flow moves u by (dx/dt - u dr/dt) / r; the sampler
    walks it backwards. Each is (frames, lines, lines, 2).
    """
    schedule, places = denoiser.schedule, _square(EXTENT, FIELD_LINES)
    t = times.repeat_interleave(len(places))
    u = places.repeat(len(times), 1)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    d_alpha, d_sigma = schedule.derivatives(t)
    r = torch.hypot(alpha, sigma)
    growth = expand((alpha * d_alpha + sigma * d_sigma) / r, u).float()
    r = expand(r, u).float()
    estimate = denoiser.predict(u * r, t)
    shape = (len(times), FIELD_LINES, FIELD_LINES, 2)
    field, score = (u * growth - estimate.velocity) / r, estimate.score * r
    return field.reshape(shape).numpy(), score.reshape(shape).numpy()


def as_shown(images: np.ndarray) -> np.ndarray:
    """Images (..., channels, height, width) as films and sheets take them, float32: three channels are colours,
    (..., height, width, 3), and of others the mean is grey, (..., height, width)."""
    images = images.astype(np.float32)
    return np.moveaxis(images, -3, -1) if images.shape[-3] == 3 else images.mean(-3)
