"""What parts of published systems keep, run on shapes: the table that came with the app, and what was traced since.

A row of the table is height x width, frames, and what was counted for one sample (`scripts/trace_systems.py`).
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from explorer.files import ASSETS, read_asset
from explorer.hardware.weights import Weights
from explorer.once import once

FOLDER = ASSETS / "hardware"
LORA_RANK = 16  # of what is traced
MOST_FRESH = 1000


@dataclass(frozen=True)
class At:
    """Where a component was run: so many pixels, frames and samples at once, in a precision."""

    component: str
    pixels: int
    frames: int
    samples: int
    precision: str


@dataclass(frozen=True)
class Fresh:
    """What a fresh trace found: bytes `alive` at the fullest moment and `with_scratch` of convolutions, by kind of
    attention."""

    alive: dict[str, int]
    with_scratch: dict[str, int]


_fresh: dict[At, Fresh] = {}


def remember(at: At, found: Fresh) -> None:
    """Answer from this trace from now on, in this process; of many the oldest go."""
    _fresh[at] = found
    for old in list(_fresh)[:-MOST_FRESH]:
        _fresh.pop(old, None)


def fresh(at: At) -> Fresh | None:
    """What was traced anew at this very place."""
    return _fresh.get(at)


def traces() -> dict[str, dict[str, Any]]:
    """The table by component: "denoiser.sdxl", "vae.sdxl"."""
    return _table()["components"]


def made() -> dict[str, str]:
    """When the table was made, "date", and with which versions, "torch" and "diffusers"."""
    return _table()["made"]


@once()
def _table() -> dict[str, Any]:
    return json.loads(read_asset(FOLDER / "traces.json"))


def weights(component: str) -> Weights:
    """Of a component that was traced."""
    return Weights(**traces()[component]["weights"])


def over_grid(rows: Sequence[Sequence[int]], pixels: int, frames: int, column: int) -> float:
    """A decoder's column at so many pixels and frames."""
    for row in rows:
        if len(rows) == 1 or (row[0], row[1]) == (pixels, frames):
            return row[column]
    at_each = Counter(row[0] for row in rows)
    sizes = [size for size, count in at_each.items() if count > 1 or set(at_each.values()) == {1}]
    at_size = [(size, through([(row[1], row[column]) for row in rows if row[0] == size], frames)) for size in sizes]
    return through(at_size, pixels)


def through(points: Sequence[tuple[float, float]], at: float) -> float:
    """The polynomial through the three points nearest to `at`, or through as many as there are."""
    nearest = sorted(points, key=lambda point: abs(point[0] - at))[:3]
    total = 0.0
    for x, y in nearest:
        for other, _ in nearest:
            if other != x:
                y *= (at - other) / (x - other)
        total += y
    return max(0.0, total)
