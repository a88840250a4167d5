"""Samplers at work in a worker: judged on many samples, or run for the film of a long walk."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.jobs.events import Event, JobError

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser
    from explorer.lessons.sampling_showdown.walks import Walk

TELL_SECONDS = 0.25


def measure_quality(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """Run `params["methods"]` from `params["start"]`, as fields of `Method` and `Start`, one after the other.

    The model is the shipped one of `params["model"]`, or where that is None the file in arrays["weights"] (uint8,
    of `zoo.to_bytes`). With `params["judge"]`, the name of a classifier, "point-K" holds the `Quality` of method
    K; without, "walk-K" its `Walk`. "progress" says the share that is done and the seconds that remain.
    """
    from explorer.lessons.sampling_showdown.quality import quality
    from explorer.lessons.sampling_showdown.walks import Method, Start, walk_steps
    from explorer.zoo import load_classifier

    denoiser = _model(params["model"], arrays)
    methods = [Method(**method) for method in params["methods"]]
    interval = params["start"]["guidance_interval"]
    tuples = {"classes": tuple(params["start"]["classes"]), "guidance_interval": interval and tuple(interval)}
    start = Start(**{**params["start"], **tuples})
    began = told = time.monotonic()

    def progress(share: float) -> Event:
        remaining = (time.monotonic() - began) * (1 / share - 1) if share else None
        return Event("progress", {"share": share, "remaining": remaining})

    def shares() -> Iterator[tuple[float, Event | None]]:
        number = 0
        if params["judge"]:
            for share, point in quality(denoiser, load_classifier(params["judge"]), methods, start):
                number += point is not None
                yield share, None if point is None else Event(f"point-{number:03d}", point.as_json())
            return
        for number, method in enumerate(methods):
            for step, walk in walk_steps(denoiser, method, start):
                share = (number + step / method.steps) / len(methods)
                yield share, None if walk is None else _film(number, walk)

    for share, result in shares():
        if result is not None:
            yield result
        if result is not None or time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            yield progress(share)
        if stop():
            return


def _model(name: str | None, arrays: dict[str, np.ndarray]) -> "Denoiser":
    from explorer.lessons.told import shipped_denoiser
    from explorer.zoo import from_bytes

    if name:
        return shipped_denoiser(name)
    try:
        return from_bytes(arrays["weights"].tobytes())[0]
    except ValueError as error:
        raise JobError(f"This model cannot be measured. {error}") from error


def _film(number: int, walk: "Walk") -> Event:
    arrays = {name: getattr(walk, name) for name in ("step", "t", "x", "guess", "samples")}
    return Event(f"walk-{number}", {"seconds": walk.seconds, "evaluations": walk.evaluations}, arrays)


def walk_of(event: Event) -> "Walk":
    """The walk in an event "walk-K"."""
    from explorer.lessons.sampling_showdown.walks import Walk

    fields: dict[str, Any] = {**event.arrays, **event.data}
    return Walk(**fields)
