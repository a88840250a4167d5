"""How fast a machine trains, so that what a training will take can be told for another."""

import statistics
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from explorer.jobs.events import Event
from explorer.jobs.process import device
from explorer.lessons.learning import Arrays
from explorer.lessons.trainings.plan import Plan

SHAPE = (1, 28, 28)
STEPS = 12  # of which the first third warms up


def time_steps(params: dict[str, Any], arrays: Arrays, stop: Callable[[], bool]) -> Iterator[Event]:
    """One event, "pace": the median "seconds" of a step of the Training lab's network, on images of noise."""
    import torch

    import explorer as ex

    plan = Plan()
    images = torch.randn(plan.batch_size, *SHAPE, generator=torch.Generator().manual_seed(0))
    denoiser = plan.denoiser(SHAPE, classes=0).to(device())
    config = ex.TrainConfig(STEPS, batch_size=plan.batch_size)
    seconds = [event.seconds for event in ex.train(denoiser, images, config)]
    steps = [after - before for before, after in pairwise(seconds)]
    yield Event("pace", {"seconds": statistics.median(steps[STEPS // 3 :])})
