"""How memory grows with resolution and frames, and why flash attention exists."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from explorer.charts.build_your_rig import growth_chart
from explorer.hardware.systems import ATTENTION, peak
from explorer.lessons.build_your_rig.fits import held
from explorer.ui.build_your_rig.asking import Wish, counts_of, sizes_of
from explorer.ui.build_your_rig.memory import gib
from explorer.ui.build_your_rig.origins import origins
from explorer.ui.chart import chart


def show(wish: Wish) -> None:
    """Two charts of a video, one of an image."""
    system, asked = wish.system, wish.asked
    if system.kind == "audio":
        st.info("Its length is fixed: 47 seconds of sound, whatever is asked.", icon=":material/graphic_eq:")
        return
    dark = st.context.theme.type == "dark"
    lines = {wish.card.name: float(held(wish.card))}
    over_sizes = along(wish, [(round((h * w) ** 0.5), {"height": h, "width": w}) for h, w in sizes_of(system)])
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            growth_chart(over_sizes, "Resolution, the square root of its pixels", lines, dark),
            alt="Memory at the peak over the resolution.",
        )
    if system.kind == "video":
        over_frames = along(wish, [(count, {"frames": count}) for count in counts_of(system)])
        with right:
            chart(growth_chart(over_frames, "Frames", lines, dark), alt="Memory at the peak over the number of frames.")
    flash, plain = (peak(system, replace(asked, attention=kind)).total for kind in ATTENTION)
    origins(
        computed="both curves, interpolated between settings that were traced. At the setting above "
        f"{gib(flash)} with flash attention, {gib(plain)} where the whole matrix of weights is "
        "kept, which grows with the square of the number of places",
        quoted="what the card holds",
    )


def along(wish: Wish, changes: Sequence[tuple[float, dict[str, int]]]) -> list[tuple[float, str, float]]:
    """The peak, for both kinds of attention, of what is asked for with each of some changes; those that the system
    cannot do, or that were not traced, are left out."""
    rows = []
    for size, change in changes:
        with contextlib.suppress(ValueError):
            rows += [
                (size, kind, float(peak(wish.system, replace(wish.asked, attention=kind, **change)).total))  # type: ignore[arg-type]
                for kind in ATTENTION
            ]
    return rows
