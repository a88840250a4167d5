"""A Vega-Lite chart on a page."""

from typing import Any

import streamlit as st

from explorer.charts.slides.figures import Chart
from explorer.ui import gathering


def chart(spec: dict[str, Any], *, alt: str) -> None:
    """Draw a specification; `alt` says in a sentence what it shows, for screen readers and as the title of a slide."""
    gathering.keep(lambda: Chart(alt.rstrip("."), spec))
    st.vega_lite_chart(spec, alt=alt)
