"""The tasks that a worker can run: a name, and where its function is.

A server reads this table without importing torch; the worker imports it when a task starts.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.jobs.events import Event, JobError

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser
    from explorer.training import TrainState

TASKS = {
    "train_2d": "explorer.jobs.tasks:train_2d",
    "train_images": "explorer.jobs.train_images:train_images",
    "measure_quality": "explorer.jobs.measure_quality:measure_quality",
    "download": "explorer.jobs.download:download",
}

Arrays = dict[str, np.ndarray]
SNAPSHOTS = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CURVE_POINTS = 400
RUNAWAY = 1e3  # times the smallest loss so far
STATE_VECTORS = ("weights", "averaged", "first_moment", "second_moment")


def train_2d(params: dict[str, Any], arrays: Arrays, stop: Callable[[], bool]) -> Iterator[Event]:
    """Train a 2D denoiser on arrays["points"], (m, 2), judged against arrays["fresh"], (k, 2).

    `params`: schedule, prediction, seed, size (the MLP's), config (TrainConfig's). To resume, `step`,
    `seconds` and the vectors of a "state" event. Events, of which the newest of each kind counts:
    "progress" with the smoothed loss curve; "snapshot-K" with averaged weights and their distance to fresh
    data, at fixed shares of the run; "state", what resuming needs. Neither is sent before the learning rate has
    warmed up nor while the loss runs away, so that a run which diverges leaves its last good ones.
    """
    import time

    import torch

    import explorer as ex

    denoiser = ex.make_denoiser_2d(
        params["seed"], schedule=params["schedule"], prediction=params["prediction"], **params["size"]
    )
    points, fresh = torch.tensor(arrays["points"]), torch.tensor(arrays["fresh"])
    config = ex.TrainConfig(**params["config"])
    state = None
    if "weights" in arrays:
        state = ex.TrainState(
            params["step"], params["seconds"], *(torch.tensor(arrays[name]) for name in STATE_VECTORS)
        )
    curve: list[tuple[float, float]] = []
    smoothed, smallest, every = 0.0, math.inf, 1
    taken = sum(share <= config.progress(state.step, state.seconds) for share in SNAPSHOTS) if state else 0
    told = time.monotonic()
    event: ex.TrainEvent | None = None

    def progress(event: ex.TrainEvent) -> Event:
        share = config.progress(event.step, event.seconds)
        remaining = event.seconds * (1 / share - 1) if share else None
        data = {
            "step": event.step,
            "seconds": event.seconds,
            "share": share,
            "loss": smoothed,
            "remaining": remaining,
        }
        return Event("progress", data, {"curve": np.array(curve, dtype=np.float32).reshape(-1, 2)})

    try:
        for event in ex.train(denoiser, points, config, state):
            smoothed = event.loss if not curve else 0.95 * smoothed + 0.05 * event.loss
            if event.step % every == 0 or not curve:
                curve.append((event.step, smoothed))
            if len(curve) > CURVE_POINTS:
                curve, every = curve[::2], 2 * every
            smallest = min(smallest, event.loss)
            good = event.step >= config.warmup and event.loss < RUNAWAY * smallest
            share = config.progress(event.step, event.seconds)
            if good and taken < len(SNAPSHOTS) and share >= SNAPSHOTS[taken]:
                while taken < len(SNAPSHOTS) and share >= SNAPSHOTS[taken]:
                    taken += 1
                yield _snapshot(taken, event, event.state(), denoiser, fresh)
                yield progress(event)
            if time.monotonic() - told > 0.25:
                told = time.monotonic()
                yield progress(event)
                if good:
                    yield _state(event.state())
            if stop():
                break
    except ex.Diverged as error:
        if event is not None:
            yield progress(event)
        raise JobError(str(error)) from error
    if event is not None:
        if taken < len(SNAPSHOTS):
            yield _snapshot(taken + 1, event, event.state(), denoiser, fresh)
        yield progress(event)
        yield _state(event.state())


def _state(state: "TrainState") -> Event:
    vectors = {name: getattr(state, name).numpy() for name in STATE_VECTORS}
    return Event("state", {"step": state.step, "seconds": state.seconds}, vectors)


def _snapshot(number: int, event: Any, state: "TrainState", denoiser: "Denoiser", fresh: Any) -> Event:
    """The averaged weights, and how far samples from them are from fresh data."""
    import copy

    import explorer as ex
    from explorer.training import load_weights

    averaged = copy.deepcopy(denoiser)
    load_weights(averaged, state.averaged)
    samples = ex.sample(averaged, len(fresh), "heun", steps=12, keep="last").samples
    distance = ex.sliced_wasserstein(samples, fresh, projections=100)
    data = {"step": event.step, "seconds": event.seconds, "distance": distance}
    return Event(f"snapshot-{number:02d}", data, {"averaged": state.averaged.numpy()})
