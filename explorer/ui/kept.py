"""Choosing among things that come and go: a link, or the page's own past, may name what is not there."""

from collections.abc import Mapping

import streamlit as st


def choose_kept(label: str, labels: Mapping[str, str], default: str, *, key: str, width: int | None = None) -> str:
    """A select box over the keys of `labels`, kept in the URL; what is not there means the default.

    `gone(key)` then tells so until another is chosen.
    """
    if st.session_state.get(key, default) not in labels:
        del st.session_state[key]
        st.session_state[_gone(key)] = True
    elif key not in st.session_state and (asked := st.query_params.get(key)):
        st.session_state[_gone(key)] = asked not in labels.values()
    names = list(labels)
    return st.selectbox(
        label,
        names,
        names.index(default),
        format_func=labels.__getitem__,
        key=key,
        width=width or "stretch",
        bind="query-params",
        on_change=st.session_state.pop,
        args=(_gone(key), None),
    )


def gone(key: str) -> bool:
    """Whether what the link or the page asked for is not there."""
    return bool(st.session_state.get(_gone(key)))


def _gone(key: str) -> str:
    return f"{key}_gone"
