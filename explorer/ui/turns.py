"""Arithmetic of many sessions takes turns: as many computations at once as there are cores.

More of them finish no sooner, for they share the cores. They would finish later: between two operations of torch a
thread must get Python's lock back, and it waits for every other thread that wants it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

from explorer.hardware.limits import available_cores

P = ParamSpec("P")
Result = TypeVar("Result")
LONGEST = 30.0  # seconds that one waits before it goes on all the same
_turns = threading.Semaphore(available_cores())


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Within it this thread computes. What it calls must not be cached by Streamlit: another thread may compute that
    very value, and wait for a turn."""
    taken = _turns.acquire(timeout=LONGEST)
    try:
        yield
    finally:
        if taken:
            _turns.release()


def in_turn(function: Callable[P, Result]) -> Callable[P, Result]:
    """A function all of whose work is done in a turn; the decorator stands below that of a cache."""

    @wraps(function)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> Result:
        with turn():
            return function(*args, **kwargs)

    return waiting
