"""When a tab connects, when a run of it fails and when it leaves: for logs and figures."""

import time
from collections.abc import Callable

import streamlit as st

WATCHERS: list[Callable[..., None]] = []  # called with what happened, and numbers about it by name
ERROR_WATCHERS: list[Callable[[Exception], None]] = []  # called with every error that ended a run


def attend() -> None:
    """A page runs for a tab; call it once a run."""
    if WATCHERS:
        _tab()


def failed(error: Exception) -> None:
    """A run of a page ended in an error; Streamlit logs it."""
    for watch in ERROR_WATCHERS:
        watch(error)


def _left(connected: float) -> None:
    for watch in WATCHERS:
        watch("tab left", seconds=round(time.monotonic() - connected, 1))


@st.cache_resource(scope="session", on_release=_left, show_spinner=False)
def _tab() -> float:
    for watch in WATCHERS:
        watch("tab connected")
    return time.monotonic()
