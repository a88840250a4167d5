"""CPU time that this session's runs took, by page: whole runs, and fragments that run alone."""

import time
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import streamlit as st

RUN, SPENT = "cpu_run", "cpu_seconds"  # the page that runs and since when, None between runs; the seconds of each page


def begin(page: str) -> None:
    """A whole run of a page begins."""
    st.session_state[RUN] = (page, time.thread_time())


def end() -> None:
    """The run that began last is over."""
    st.session_state[SPENT] = so_far()
    st.session_state[RUN] = (st.session_state[RUN][0], None)


def so_far() -> dict[str, float]:
    """CPU seconds of this session by page, the run that goes on included."""
    page, began = st.session_state[RUN]
    spent = dict(st.session_state.get(SPENT, {}))
    if began is not None:
        spent[page] = spent.get(page, 0.0) + time.thread_time() - began
    return spent


def fragment(function: Callable[..., Any] | None = None, *, run_every: float | None = None) -> Any:
    """`st.fragment`, whose runs count where they are not part of another that does."""
    if function is None:
        return partial(fragment, run_every=run_every)

    @wraps(function)
    def counted(*arguments: Any, **options: Any) -> Any:
        page, began = st.session_state.get(RUN, ("", 0.0))
        if began is not None:
            return function(*arguments, **options)
        begin(page)
        try:
            return function(*arguments, **options)
        finally:
            end()

    return st.fragment(counted, run_every=run_every)
