"""What a visitor drew or brought from a file: it is there again after a reload, for as long as the shelf is."""

from typing import Any

import numpy as np
import streamlit as st

from explorer.jobs import Store
from explorer.ui import work

MOST_KEPT = 200  # each picture that is painted over is one, of a kilobyte
BYTES = 40 * 2**20
BYTES_OF_ALL = 200 * 2**20


@st.cache_resource(show_spinner=False)
def _store() -> Store[str, Any]:
    return Store(_bytes, MOST_KEPT, BYTES, BYTES_OF_ALL)


def remember(key: str, value: Any) -> None:
    """Keep a text, an array, or an object that holds arrays, under `key`, as the session does."""
    st.session_state[key] = value
    _store().put(work.visitor(), key, value)


def recall(key: str) -> Any:
    """What this tab has under `key`, or what the visitor made last in any; None where there is nothing."""
    if key not in st.session_state and (before := _store().get(work.visitor(), key)) is not None:
        st.session_state[key] = before
    return st.session_state.get(key)


def count(but: str) -> int:
    """How many things the visitor has, without that of one key."""
    return sum(key != but and value is not None for key, value in _store().all(work.visitor()).items())


def _bytes(value: Any) -> int:
    parts = vars(value).values() if hasattr(value, "__dict__") else [value]
    return sum(part.nbytes if isinstance(part, np.ndarray) else len(str(part)) for part in parts)
