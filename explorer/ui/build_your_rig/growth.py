"""How memory grows with resolution and frames, and why flash attention exists."""

from dataclasses import replace

import streamlit as st

from explorer.charts.build_your_rig import growth_chart
from explorer.hardware.systems import ATTENTION, latents_of, most_places, peak
from explorer.lessons.build_your_rig import held
from explorer.ui.build_your_rig.asking import Wish, counts_of, sizes_of
from explorer.ui.build_your_rig.memory import gib


def show(wish: Wish) -> None:
    """Two charts of a video, one of an image."""
    system, asked = wish.system, wish.asked
    if system.kind == "audio":
        st.info("Its length is fixed: 47 seconds of sound, whatever is asked.", icon=":material/graphic_eq:")
        return
    dark = st.context.theme.type == "dark"
    lines = {wish.card.name: float(held(wish.card))}
    most = most_places(system)
    sizes = [size for size in sizes_of(system) if size[0] * size[1] * latents_of(system, asked.frames) <= most]
    over_sizes = [
        (
            round((height * width) ** 0.5),
            kind,
            peak(system, replace(asked, height=height, width=width, attention=kind)).total,
        )
        for height, width in sizes
        for kind in ATTENTION
    ]
    left, right = st.columns(2, gap="large")
    with left:
        st.vega_lite_chart(
            growth_chart(over_sizes, "Resolution, the square root of its pixels", lines, dark),
            alt="Memory at the peak over the resolution.",
        )
    if system.kind == "video":
        fitting = [
            count for count in counts_of(system) if asked.height * asked.width * latents_of(system, count) <= most
        ]
        over_frames = [
            (count, kind, peak(system, replace(asked, frames=count, attention=kind)).total)
            for count in fitting
            for kind in ATTENTION
        ]
        with right:
            st.vega_lite_chart(
                growth_chart(over_frames, "Frames", lines, dark), alt="Memory at the peak over the number of frames."
            )
    flash, plain = (peak(system, replace(asked, attention=kind)).total for kind in ATTENTION)
    st.caption(
        f"At the setting above: {gib(flash)} with flash attention, {gib(plain)} where the whole matrix of weights is "
        "kept, which grows with the square of the number of places."
    )
