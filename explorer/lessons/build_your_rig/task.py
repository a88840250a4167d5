"""A fresh trace of a system, in a worker: diffusers' own code, run on shapes at the setting that is asked for."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from explorer.hardware.systems import ATTENTION, Asked, check, decoder_at, denoiser_at, systems
from explorer.hardware.traces import At, Fresh, remember
from explorer.hardware.weights import COMPUTED_IN
from explorer.jobs.events import Event, JobError


def trace_system(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """Trace denoiser and decoder of `params["system"]` where `params["asked"]`, fields of `Asked`, has them run.

    Sends "progress": the part that is at work, and the share that is done. "traced-K" is one of the two, for `absorb`;
    "spent" the seconds, and the most bytes that this worker has held. Raises `JobError` where diffusers is missing, or
    a part cannot run so.
    """
    from explorer.hardware.diffusers_models import Setting
    from explorer.hardware.tracing import component, trace_running

    system, asked = systems()[params["system"]], Asked(**params["asked"])
    check(system, asked)
    began, tile = time.monotonic(), asked.tiling and system.tile
    side = (tile, tile) if tile and tile**2 < asked.height * asked.width else (asked.height, asked.width)
    runs = (
        (denoiser_at(system, asked), (asked.height, asked.width), ATTENTION),
        (decoder_at(system, asked), side, ("flash",)),
    )
    for number, (at, (height, width), kinds) in enumerate(runs):
        yield Event("progress", {"share": number / len(runs), "part": at.component})
        setting = Setting(at.samples, height, width, at.frames)
        try:
            module = component(at.component)
            dtype = COMPUTED_IN[at.precision]
            found = {kind: trace_running(at.component, module, setting, kind, dtype) for kind in kinds}
        except ImportError as error:
            raise JobError("A fresh trace needs diffusers: install the app with its extra `rig`.") from error
        except (RuntimeError, ValueError) as error:
            raise JobError(f"{at.component} could not be run at this setting ({error}).") from error
        alive, with_scratch = ({kind: sizes[i] for kind, sizes in found.items()} for i in (0, 1))
        yield Event(f"traced-{number}", {"at": asdict(at), "alive": alive, "with_scratch": with_scratch})
        if stop():
            return
    yield Event("spent", {"seconds": time.monotonic() - began, "bytes": most_held()})


def most_held() -> int | None:
    """The most bytes of memory that this process has held; None where the system does not say."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def absorb(event: Event) -> None:
    """Answer from an event "traced-K" from now on."""
    remember(At(**event.data["at"]), Fresh(event.data["alive"], event.data["with_scratch"]))
