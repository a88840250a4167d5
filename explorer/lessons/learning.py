"""What the tasks that train have in common: the curve of their losses, and what resuming needs."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.jobs.events import Event

if TYPE_CHECKING:
    from explorer.training import TrainState

Arrays = dict[str, np.ndarray]
CURVE_POINTS = 400
RUNAWAY = 1e3  # times the smallest loss so far
STATE_VECTORS = ("weights", "averaged", "first_moment", "second_moment")


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
    vectors = {name: getattr(state, name).cpu().numpy() for name in STATE_VECTORS}
    return Event("state", {"step": state.step, "seconds": state.seconds}, vectors)
