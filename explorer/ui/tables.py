"""Tables of words, and of figures."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from explorer.charts.slides.figures import Table
from explorer.ui import gathering


def wide(head: Sequence[str], rows: Sequence[Sequence[str]], *, key: str) -> None:
    """A table in Markdown that scrolls by itself where the screen is narrower than it."""
    lines = [head, [":--"] * len(head), *rows]
    with st.container(key=key):
        st.html(f"<style>.st-key-{key} {{ overflow-x: auto; }}</style>")
        st.markdown("\n".join("|" + "|".join(line) + "|" for line in lines))


def figures(rows: Sequence[dict[str, Any]], *, title: str, **options: Any) -> None:
    """A table that can be sorted, and taken along under its title; `options` are those of `st.dataframe`."""
    gathering.keep(lambda: Table(title, rows))
    st.dataframe(rows, hide_index=True, **options)
