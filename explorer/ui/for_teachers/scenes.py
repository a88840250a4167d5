"""The scenes of a lecture, as links, warmed while the list is open."""

from urllib.parse import urlencode

import streamlit as st

from explorer.lessons.path import MODULES
from explorer.lessons.scenes import LISTS, scenes
from explorer.ui.components import component
from explorer.ui.controls import one_of
from explorer.ui.for_teachers import handout
from explorer.ui.lecture import scene_query
from explorer.ui.path import link

_warm = component("warm", "mount")


def show() -> None:
    """The list, each scene with what to say; the first link starts the lecture."""
    which = one_of("Lecture", LISTS, key="teach_list")
    several = scenes(which)
    st.markdown(
        f"{len(several)} scenes, about {sum(scene.minutes for scene in several):.0f} minutes. Open the first; then "
        "**N** leads to the next and **B** back, and **P** shows the demo alone, in larger type. Nothing of it needs "
        "the network."
    )
    links = [scene_query(which, number) for number in range(len(several))]
    _warm(
        key="teach_warm",
        data={"links": [_address(scene.page, query) for scene, query in zip(several, links, strict=True)]},
    )
    for number, (scene, query) in enumerate(zip(several, links, strict=True), start=1):
        told, to = st.columns([2.4, 1], vertical_alignment="center")
        told.markdown(f"**{number}. {scene.title}** ({scene.minutes:g} min) · {scene.say}")
        with to:
            link(scene.page, MODULES[scene.page][0], query)
    st.markdown(
        "**For your slides**: at the end of every module, *Figures and data of this page* has what it shows as "
        "pictures of 1920 x 1080, light and dark. Where you have the app's folder, `python scripts/lecture_figures.py "
        f"{which} figures.zip` draws those of all these scenes into one file."
    )
    handout.show(which)


def _address(page: str, query: dict[str, str]) -> str:
    return f"{page}?{urlencode({**query, 'embed': 'true'})}"
