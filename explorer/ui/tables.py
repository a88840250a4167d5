"""Tables of words."""

from collections.abc import Sequence

import streamlit as st


def wide(head: Sequence[str], rows: Sequence[Sequence[str]], *, key: str) -> None:
    """A table in Markdown that scrolls by itself where the screen is narrower than it."""
    lines = [head, [":--"] * len(head), *rows]
    with st.container(key=key):
        st.html(f"<style>.st-key-{key} {{ overflow-x: auto; }}</style>")
        st.markdown("\n".join("|" + "|".join(line) + "|" for line in lines))
