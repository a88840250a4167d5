"""What this session's runs took, by page: whole runs, and fragments that run alone."""

import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple

import streamlit as st

RUN, SPENT = "cpu_run", "cpu_seconds"  # in the session: the run that began last, and the CPU seconds of each page


class Run(NamedTuple):
    """What a run took: its page by title, which part of it ran, seconds on the clock and of CPU."""

    page: str
    part: str
    seconds: float
    cpu_seconds: float


class _Begun(NamedTuple):
    page: str
    part: str
    thread: int | None  # None once it is over
    at: float
    cpu: float


WATCHERS: list[Callable[[Run], None]] = []  # called with every run of every session, in its thread; they must be quick


def begin(page: str, part: str = "page") -> None:
    """A run of a page begins; one that another broke off in the same thread counts as far as it came."""
    if running():
        end()
    st.session_state[RUN] = _Begun(page, part, threading.get_ident(), time.perf_counter(), time.thread_time())


def end() -> None:
    """The run that began last is over."""
    begun = st.session_state[RUN]
    st.session_state[SPENT] = so_far()
    st.session_state[RUN] = begun._replace(thread=None)
    run = Run(begun.page, begun.part, time.perf_counter() - begun.at, time.thread_time() - begun.cpu)
    for watch in WATCHERS:
        watch(run)


def running() -> bool:
    """Whether this thread is in a run that is counted; one that failed in another thread is not."""
    return RUN in st.session_state and st.session_state[RUN].thread == threading.get_ident()


def so_far() -> dict[str, float]:
    """CPU seconds of this session by page, the run that goes on included."""
    spent = dict(st.session_state.get(SPENT, {}))
    if running():
        begun = st.session_state[RUN]
        spent[begun.page] = spent.get(begun.page, 0.0) + time.thread_time() - begun.cpu
    return spent


def fragment(function: Callable[..., Any] | None = None, *, run_every: float | None = None) -> Any:
    """`st.fragment`, whose runs count where they are not part of another that does."""
    if function is None:
        return partial(fragment, run_every=run_every)

    @wraps(function)
    def counted(*arguments: Any, **options: Any) -> Any:
        if running() or RUN not in st.session_state:
            return function(*arguments, **options)
        begin(st.session_state[RUN].page, "fragment")
        try:
            return function(*arguments, **options)
        finally:
            end()

    return st.fragment(counted, run_every=run_every)
