"""The timeline: a year, an idea, its paper, and the page that shows it."""

from pathlib import Path

import streamlit as st

from explorer.lessons.conclusion_ethics.timeline import IDEAS
from explorer.lessons.path import MODULES
from explorer.ui.frame import page_link
from explorer.ui.papers import PAPERS


def show() -> None:
    """A row for each idea."""
    for idea in IDEAS:
        year, told, link = st.columns([0.12, 1, 0.35], vertical_alignment="center")
        year.markdown(f"**{idea.year}**")
        told.markdown(f"{idea.what}: {PAPERS[idea.paper]}")
        with link:
            page_link(idea.page, MODULES[Path(idea.page).stem][0])
