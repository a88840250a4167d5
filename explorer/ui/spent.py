"""CPU time that this session's runs took, by page: whole runs, and fragments that run alone."""

import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import streamlit as st

RUN, SPENT = "cpu_run", "cpu_seconds"  # the page, the thread that runs it and since when; the seconds of each page


def begin(page: str) -> None:
    """A run of a page begins; one that another broke off in the same thread counts as far as it came."""
    if running():
        end()
    st.session_state[RUN] = (page, threading.get_ident(), time.thread_time())


def end() -> None:
    """The run that began last is over."""
    st.session_state[SPENT] = so_far()
    st.session_state[RUN] = (st.session_state[RUN][0], None, 0.0)


def running() -> bool:
    """Whether this thread is in a run that is counted; one that failed in another thread is not."""
    return st.session_state.get(RUN, ("", None))[1] == threading.get_ident()


def so_far() -> dict[str, float]:
    """CPU seconds of this session by page, the run that goes on included."""
    spent = dict(st.session_state.get(SPENT, {}))
    if running():
        page, _, began = st.session_state[RUN]
        spent[page] = spent.get(page, 0.0) + time.thread_time() - began
    return spent


def fragment(function: Callable[..., Any] | None = None, *, run_every: float | None = None) -> Any:
    """`st.fragment`, whose runs count where they are not part of another that does."""
    if function is None:
        return partial(fragment, run_every=run_every)

    @wraps(function)
    def counted(*arguments: Any, **options: Any) -> Any:
        if running() or RUN not in st.session_state:
            return function(*arguments, **options)
        begin(st.session_state[RUN][0])
        try:
            return function(*arguments, **options)
        finally:
            end()

    return st.fragment(counted, run_every=run_every)
