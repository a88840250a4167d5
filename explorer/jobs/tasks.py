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
    state = resumed_state(params, arrays)
    curve = LossCurve()
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
            "loss": curve.smoothed,
            "remaining": remaining,
        }
        return Event("progress", data, {"curve": curve.array()[:, :2]})

    try:
        for event in ex.train(denoiser, points, config, state):
            curve.add(event.step, event.loss)
            good = event.step >= config.warmup and not curve.runs_away
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
                    yield state_event(event.state())
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
        yield state_event(event.state())


class LossCurve:
    """The losses of a run by step, thinned as it goes so that there are CURVE_POINTS at most.

    They are smoothed over the last few steps at first, over 20 later, so that the fall at the start is not hidden.
    """

    def __init__(self) -> None:
        self.smoothed = math.nan
        self.runs_away = False  # the newest loss is RUNAWAY times the smallest
        self._smallest, self._every, self._count = math.inf, 1, 0
        self._rows: list[tuple[float, float, float]] = []

    def add(self, step: int, loss: float) -> None:
        """The loss of the next step."""
        self._count += 1
        weight = max(0.05, self._count**-0.5)
        self.smoothed = (1 - weight) * self.smoothed + weight * loss if self._rows else loss
        self._smallest = min(self._smallest, loss)
        self.runs_away = loss >= RUNAWAY * self._smallest
        if step % self._every == 0 or not self._rows:
            self._rows.append((step, self.smoothed, loss))
        if len(self._rows) > CURVE_POINTS:
            self._rows, self._every = self._rows[::2], 2 * self._every

    def array(self) -> np.ndarray:
        """(k, 3): step, smoothed loss, loss."""
        return np.array(self._rows, np.float32).reshape(-1, 3)


def resumed_state(params: dict[str, Any], arrays: Arrays) -> "TrainState | None":
    """Where a run that goes on stood: what the data and arrays of its "state" event say, None for a new run."""
    import torch

    from explorer.training import TrainState

    if "weights" not in arrays:
        return None
    return TrainState(params["step"], params["seconds"], *(torch.tensor(arrays[name]) for name in STATE_VECTORS))


def state_event(state: "TrainState") -> Event:
    """What resuming needs."""
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
