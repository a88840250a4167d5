"""How long a system takes on a card: operations counted on shapes over the card's peak, times what is reached of it.

Published speeds reach between a fifth and four fifths of a card's dense peak: the less, the sooner a step would be over
at the peak, for a fast card waits for its work. So there is a band, never a single time.
"""

import csv
from dataclasses import dataclass

from explorer.files import read_asset
from explorer.hardware.systems import Asked, System, denoiser_bytes, operations
from explorer.hardware.traces import FOLDER
from explorer.once import once

SHORT = 0.07  # seconds that a step takes at the peak; published speeds of shorter ones reach less of it
PASSES = {False: 3, True: 4}  # forward passes that a step of training is worth, by gradient checkpointing


@dataclass(frozen=True)
class Reached:
    """A published speed: the seconds that one step would take at the card's dense peak, and the share of the peak that
    was reached."""

    model: str
    card: str
    ideal: float
    share: float
    source: str


@dataclass(frozen=True)
class Band:
    """Seconds, from the fastest to the slowest that published speeds suggest; `shares` of the peak are behind them."""

    fast: float
    slow: float
    shares: tuple[float, float]

    def times(self, count: float) -> "Band":
        return Band(count * self.fast, count * self.slow, self.shares)


@once()
def reached() -> tuple[Reached, ...]:
    """Published speeds whose operations and peak are known."""
    found = []
    for row in csv.DictReader(read_asset(FOLDER / "published_times.csv").decode().splitlines()):
        if not (row["tflop_a_step"] and row["dense_peak_tflops"]):
            continue
        ideal = float(row["tflop_a_step"]) / float(row["dense_peak_tflops"])
        seconds = float(row["value"]) if row["unit"] == "s/it" else 1 / float(row["value"])
        found.append(Reached(row["model"], row["gpu"], ideal, ideal / seconds, row["source"]))
    return tuple(found)


def shares(ideal: float) -> tuple[float, float]:
    """The least and the greatest share of a peak that was reached in steps as short, or as long, as this one."""
    alike = [one.share for one in reached() if (one.ideal < SHORT) == (ideal < SHORT)]
    return min(alike), max(alike)


def step(system: System, asked: Asked, rate: float, bandwidth: float) -> Band:
    """Seconds of one step of sampling on a card with `rate` operations and `bandwidth` bytes a second. No call is
    faster than its weights are read. Raises ValueError as `check`."""
    ideal = operations(system, asked) / rate
    least, greatest = shares(ideal)
    calls = 2 if asked.guided and system.guidance == "calls" else 1
    reading = calls * denoiser_bytes(system, asked.precision) / bandwidth
    return Band(max(ideal / greatest, reading), max(ideal / least, reading), (least, greatest))


def sampling(system: System, asked: Asked, steps: int, rate: float, bandwidth: float) -> Band:
    """Seconds for the whole batch, without text encoding and decoding."""
    return step(system, asked, rate, bandwidth).times(steps)


def training_step(system: System, asked: Asked, checkpointing: bool, rate: float) -> Band:
    """Seconds of one step of training on a batch: a forward pass, and a backward pass of twice its work, once more
    forward with checkpointing."""
    once = operations(system, Asked(**{**vars(asked), "guided": False})) / rate * PASSES[checkpointing]
    least, greatest = shares(once)
    return Band(once / greatest, once / least, (least, greatest))
