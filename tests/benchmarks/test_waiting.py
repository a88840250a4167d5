"""A class that waits for its trainings: the arithmetic by hand, and two real students."""

import asyncio

import pytest

from benchmarks.waiting import drive, most_students, waits
from tests.browser.serving import serving


def test_a_queue_by_hand() -> None:
    assert waits(5, workers=2, seconds=3) == [3, 3, 6, 6, 9]
    assert waits(3, workers=1, seconds=3, start=2) == [5, 8, 11]
    assert waits(3, workers=1, seconds=3, within=6) == [3, 4, 5]
    assert waits(3, workers=1, seconds=3, within=60) == [3, 3, 3]


@pytest.mark.parametrize(("workers", "seconds", "start"), [(2, 3.4, 2.0), (4, 3.4, 0.0), (1, 61.0, 0.0)])
def test_one_more_than_the_largest_class_waits_too_long(workers: int, seconds: float, start: float) -> None:
    most = most_students(workers, seconds, start)
    assert all(waited <= 60 for waited in waits(most, workers, seconds, start))
    assert max(waits(most + 1, workers, seconds, start)) > 60


def test_two_students_train_and_what_they_cost_is_counted() -> None:
    with serving("Home.py") as server:
        seen = asyncio.run(drive(server, students=2))
    assert seen.errors == []
    assert len(seen.waits) == len(seen.distances) == 2
    assert min(seen.waits) > seen.seconds > 0  # nobody's training is shorter than the page says
    assert min(seen.steps) > 0
    assert seen.server > 0 < seen.workers
