"""CLIP: captions for a picture, pictures for a caption, a map of concepts, and CLIP alone as the guide."""

from dataclasses import replace

import streamlit as st
import torch

from explorer.charts.guided_generation import map_chart
from explorer.data.emoji import emoji
from explorer.lessons.guided_generation import fits
from explorer.lessons.guided_generation.pictures import Drawing
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.chart import chart
from explorer.ui.guided_generation.asking import Wish
from explorer.ui.guided_generation.computed import climbed
from explorer.ui.guided_generation.drawing import LETTERS
from explorer.ui.markdown import plain
from explorer.ui.sheet import Row, sheet

STRENGTHS = [0, 1, 2, 4, 8, 16, 40]


def show(wish: Wish, drawn: Drawing) -> None:
    """The four uses, two in a row."""
    if wish.teller.name != "emoji":
        st.info("This page's CLIP learned from emoji: choose that model above.", icon=":material/switch_left:")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Which captions fit these pictures?**")
        lines = []
        for letter, picture in zip(LETTERS, torch.from_numpy(drawn.pictures), strict=False):
            best = fits.captions_of(picture, 3)
            lines.append(f"- {letter}: " + ", ".join(f"{plain(fit.name)} {fit.cosine:.2f}" for fit in best))
        st.markdown("\n".join(lines))
        st.caption("The cosine between the vector of the picture and that of the caption, from −1 to 1.")
    with right:
        st.markdown("**Which pictures fit this caption?**")
        caption = st.text_input(
            "Caption", "something sweet", key="guide_clip_search", bind="query-params", max_chars=300
        )
        found = fits.pictures_of(caption)
        images = emoji().images([fit.place for fit in found]).numpy()
        sheet(
            [Row("Drawn by artists", as_shown(images), [f"{fit.cosine:.2f}" for fit in found], "The best fits")],
            [str(place) for place in range(1, len(found) + 1)],
            title=f"Pictures by artists that CLIP finds for “{caption}”",
        )
        st.caption(plain("; ".join(fit.name for fit in found)))
    st.markdown("**Guided by CLIP alone**")
    strength = st.select_slider("Strength", STRENGTHS, 8, key="guide_clip_strength", bind="query-params", width=300)
    try:
        images = climbed(replace(wish.asked, negative=None, guidance_scale=1.0), float(strength))
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")
    else:
        prompt = wish.understood.text
        scores = [fits.score(torch.from_numpy(part), prompt) for part in (drawn.pictures, images)]
        rows = [
            Row(f"Classifier-free guidance: CLIP gives {scores[0]:.2f}", as_shown(drawn.pictures), [], "As above"),
            Row(f"CLIP alone: CLIP gives {scores[1]:.2f}", as_shown(images), [], "Guided by CLIP alone"),
        ]
        with st.container(width=640):
            sheet(rows, list(LETTERS), title="Guided without a classifier, and by CLIP alone")
        st.caption(
            "The model is told nothing; each step climbs the slope of CLIP's cosine instead. What pleases "
            "CLIP and what looks right to you are two things: compare the numbers with the pictures."
        )
    names, places, share = fits.concept_map()
    near = [fit.name for fit in fits.captions_of(torch.from_numpy(drawn.pictures)[0], 5)]
    st.markdown("**A map of concepts**")
    chart(
        map_chart(names, places, near, st.context.theme.type == "dark"), alt="Concepts in the plane of CLIP's vectors."
    )
    st.caption(
        f"The vectors of {len(names)} concepts, in the plane in which they differ most: it holds {share:.0%} of their "
        "variance. In the model's colour: the captions nearest to picture A."
    )
