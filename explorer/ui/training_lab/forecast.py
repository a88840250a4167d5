"""What a training will take, before it starts: seconds, memory, and whether this machine allows it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer.lessons.trainings.plan import MOST_WEIGHTS, Plan
from explorer.ui import work
from explorer.ui.turns import in_turn

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset
    from explorer.hardware.training_cost import TrainingCost

LONGEST_STEP = 5.0  # seconds


@dataclass(frozen=True)
class Forecast:
    """What a plan will take: seconds, bytes of memory, training images, weights of the network, seconds a step."""

    seconds: float
    bytes: int
    images: int
    weights: int
    seconds_per_step: float


def forecast(plan: Plan, dataset: "ImageDataset") -> Forecast:
    """What training a plan on these images will take, estimated before it starts."""
    images = len(dataset) - len(dataset) // 5
    used = min(plan.take or images, images)
    cost = _cost(plan.width, plan.depth, plan.attention, dataset.shape, len(dataset.classes))
    steps, step = plan.steps(used), cost.seconds_per_step(plan.batch_size) * work.time_factor()
    seconds = plan.seconds if steps is None else steps * step
    return Forecast(float(seconds or 0), cost.bytes(plan.batch_size), used, cost.weights, step)


@st.cache_resource(max_entries=256, show_spinner=False)
@in_turn
def _cost(width: int, depth: int, attention: bool, shape: tuple[int, ...], classes: int) -> "TrainingCost":
    """Of the network, which is all that costs: the other settings change how often it is asked."""
    from explorer.hardware.training_cost import training_cost

    network = Plan(width=width, depth=depth, attention=attention)
    return training_cost(network.denoiser(shape, classes), classes)


def describe(plan: Plan, expected: Forecast) -> str:
    """The estimate in a line or two."""
    longest = work.manager().max_seconds
    time = f"about {expected.seconds:.0f} s" if plan.seconds is None else f"{plan.seconds} s"
    lines = [
        f"{expected.weights:,} weights, {expected.images:,} training images.",
        f"Training takes {time} and {expected.bytes / 2**20:,.0f} MB of memory here, beside what PyTorch itself takes.",
    ]
    if expected.seconds > longest:
        lines.append(f"A run may take {longest:.0f} s here: it is paused then, and can be resumed.")
    if plan.batch_size > expected.images:
        lines.append(
            f"A batch of {plan.batch_size} is larger than the data: each step sees an image several times, "
            "each time with other noise."
        )
    return " ".join(lines)


def too_large(expected: Forecast) -> str:
    """A sentence where a plan is too large for this machine or this lab, else nothing."""
    if expected.weights > MOST_WEIGHTS:
        return (
            f"This network would have {expected.weights:,} weights, and a run may have {MOST_WEIGHTS:,} here: choose "
            "a smaller width or depth."
        )
    if expected.seconds_per_step > LONGEST_STEP:
        return (
            f"A step of this training would take about {expected.seconds_per_step:.0f} s here, too long to pause or "
            "to keep anything in time: choose a smaller batch, width or depth."
        )
    allowed = memory_for_training()
    if allowed is None or expected.bytes <= allowed:
        return ""
    return (
        f"This training would need {expected.bytes / 2**20:,.0f} MB of memory, and a run may have "
        f"{allowed / 2**20:,.0f} MB here: choose a smaller batch, width or depth."
    )


def memory_for_training() -> int | None:
    """Bytes that one run may be expected to take, half of what ends it; None where nothing tells."""
    memory = work.manager().engine.memory_of_job
    return memory and memory // 2
