"""The task of the Geometry lab: train a 2D denoiser, and keep what it had learned on the way."""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

import explorer as ex
from explorer.jobs.events import Event, JobError
from explorer.lessons.geometry_lab.runs import Settings
from explorer.lessons.learning import Arrays, LossCurve, resumed_state, state_event
from explorer.metrics import NotFinite
from explorer.training import load_weights

SNAPSHOTS = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def train_2d(params: dict[str, Any], arrays: Arrays, stop: Callable[[], bool]) -> Iterator[Event]:
    """Train a 2D denoiser on arrays["points"], (m, 2), judged against arrays["fresh"], (k, 2).

    `params`: schedule, prediction, seed, size (the MLP's), config (TrainConfig's). To resume, `step`,
    `seconds` and the vectors of a "state" event. Events, of which the newest of each kind counts:
    "progress" with the smoothed loss curve; "snapshot-K" with averaged weights and their distance to fresh
    data, at fixed shares of the run; "state", what resuming needs. Neither is sent before the learning rate has
    warmed up nor while the loss runs away, so that a run which diverges leaves its last good ones.
    """
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


def _snapshot(
    number: int, event: ex.TrainEvent, state: ex.TrainState, denoiser: ex.Denoiser, fresh: torch.Tensor
) -> Event:
    """The averaged weights, and how far from fresh data are the samples that the lab opens with: None where these are
    not finite."""
    averaged = copy.deepcopy(denoiser)
    load_weights(averaged, state.averaged)
    samples = ex.sample(averaged, Settings.n, Settings.sampler, Settings.steps, Settings.seed, keep="last").samples
    try:
        distance = ex.sliced_wasserstein(samples, fresh)
    except NotFinite:
        distance = None
    data = {"step": event.step, "seconds": event.seconds, "distance": distance}
    return Event(f"snapshot-{number:02d}", data, {"averaged": state.averaged.numpy()})
