"""In a lecture: which scene this is, what to say, and the way on; larger type, the full screen, the demo alone."""

import streamlit as st

from explorer.lessons.scenes import LISTS, Scene, scenes
from explorer.ui.components import component
from explorer.ui.path import link

_lecture = component("lecture", "mount")


def scene_query(which: str, number: int) -> dict[str, str]:
    """The query of a scene's link: its controls, and where in the lecture it is, counted from 0."""
    return {**scenes(which)[number].query, "scene": f"{which}.{number + 1}"}


def scene_in(text: str) -> tuple[str, int, Scene] | None:
    """The list, the number from 0, and the scene that a link says; None for none, and for one that is no more."""
    which, _, told = text.partition(".")
    if which not in LISTS or not (told.isascii() and told.isdigit() and len(told) < 4):
        return None
    number = int(told) - 1
    several = scenes(which)
    return (which, number, several[number]) if 0 <= number < len(several) else None


def show_buttons() -> None:
    """Larger type, the full screen, the demo alone: in the sidebar of every page."""
    _lecture(key="lecture")


def show_scene(page: str) -> None:
    """Which scene of a lecture this page is, what to say, and the way on; nothing where no link said a scene of it. The
    session remembers it, for the URL loses what no control is bound to."""
    if said := st.query_params.get("scene"):
        st.session_state["scene"] = said
    found = scene_in(st.session_state.get("scene", ""))
    if found is None or found[2].page != page:
        return
    which, number, scene = found
    count = len(scenes(which))
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="scene"):
        st.markdown(f"**Scene {number + 1} of {count}: {scene.title}.** {scene.say}")
        for key, other, label in (("scene_back", number - 1, "Back (B)"), ("scene_next", number + 1, "Next (N)")):
            if 0 <= other < count:
                with st.container(key=key, width="content"):
                    link(scenes(which)[other].page, label, scene_query(which, other))
