"""A Vega-Lite chart on a page."""

from typing import Any

import streamlit as st

from explorer.charts.slides.figures import Chart
from explorer.ui import gathering

# CSS pixels, which are not measured in the letters of the page, so that a lecture enlarges a chart as a whole
# (assets/components/lecture.js).
LETTERS = {"labelFontSize": 13, "titleFontSize": 13}
CONFIG = {
    "axis": {**LETTERS, "labelPadding": 8, "titlePadding": 12, "labelSeparation": 4},
    "legend": {
        **LETTERS,
        "labelPadding": 8,
        "rowPadding": 4,
        "columnPadding": 12,
        "padding": 6,
        "symbolStrokeWidth": 2,
    },
    "title": {"fontSize": 14, "offset": 16},
    "text": {"fontSize": 13},
}


def chart(spec: dict[str, Any], *, alt: str) -> None:
    """Draw a specification; `alt` says in a sentence what it shows, for screen readers and as the title of a slide."""
    gathering.keep(lambda: Chart(alt.rstrip("."), spec))
    st.vega_lite_chart({**spec, "config": CONFIG}, alt=alt)
