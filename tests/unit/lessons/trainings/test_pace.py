import itertools

import pytest

from explorer import training
from explorer.lessons.trainings.pace import STEPS, time_steps


def test_it_is_the_median_of_real_steps_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.chain(range(0, 100 * STEPS // 3, 100), itertools.count(100 * STEPS, 3))
    monkeypatch.setattr(training.time, "perf_counter", lambda: float(next(readings)))
    (event,) = time_steps({}, {}, lambda: False)
    assert event.kind == "pace"
    assert event.data["seconds"] == 3.0
