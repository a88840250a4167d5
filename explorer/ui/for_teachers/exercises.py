"""Exercises, with their answers behind a switch."""

import streamlit as st

from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.lessons.path import MODULES
from explorer.ui.path import link


def show() -> None:
    """Two for each page or so."""
    answers = st.toggle("Show the answers", key="teach_answers")
    for number, exercise in enumerate(EXERCISES, start=1):
        told, to = st.columns([2.4, 1], vertical_alignment="center")
        told.markdown(f"**{number}.** {exercise.task}")
        with to:
            link(exercise.page, MODULES[exercise.page][0])
        if answers:
            st.markdown(f"> {exercise.answer}")
