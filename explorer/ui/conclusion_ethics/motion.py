"""Video: a digit that flies, drawn as one thing, beside frames that know of no other."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.lessons.conclusion_ethics.figures import figures
from explorer.ui.film import Strip, film
from explorer.ui.turns import in_turn

if TYPE_CHECKING:
    from explorer.lessons.conclusion_ethics.motion import Consistency


@st.cache_resource(max_entries=32, show_spinner="Filming…")
@in_turn
def _filmed(digit: int, seed: int, guidance_scale: float) -> "tuple[np.ndarray, Consistency]":
    """The video, for a player, and how consistent it is."""
    from explorer.lessons.conclusion_ethics import motion

    video = motion.video(digit, seed, guidance_scale)
    return motion.as_film(video), motion.consistency(video)


@st.cache_resource(max_entries=32, show_spinner="Filming…")
@in_turn
def _strangers(digit: int) -> "tuple[np.ndarray, Consistency]":
    """Frames drawn one by one, likewise; they are the same for every seed and every scale."""
    from explorer.lessons.conclusion_ethics import motion

    frames = motion.one_by_one(digit)
    return motion.as_film(frames), motion.consistency(frames)


@st.cache_data(show_spinner=False)
def _dearer() -> str:
    """How much more the large ones cost, in two digits."""
    from explorer.lessons.conclusion_ethics import motion

    least, most = (f"{float(f'{times:.1e}'):,.0f}" for times in motion.dearer())
    return f"{least} to {most}"


def show() -> None:
    """The controls in a row, the two films, and what was measured on many."""
    from explorer.lessons.conclusion_ethics.motion import GUIDANCE

    with st.container(horizontal=True, vertical_alignment="bottom"):
        digit = st.slider("Digit", 0, 9, 3, key="ethics_digit", bind="query-params", width=150)
        seed = st.slider("Seed", 0, 99, 0, key="ethics_video_seed", bind="query-params", width=150)
        scale = st.slider(
            "Guidance scale", 1.0, 5.0, 3.0, 0.5, key="ethics_video_scale", bind="query-params", width=150
        )
    together, alone = _filmed(digit, seed, scale), _strangers(digit)
    left, right = st.columns([1, 1.4], gap="large")
    with right:
        film(
            [Strip("All frames at once", together[0]), Strip("Frames one by one", alone[0], role="noise")],
            key="ethics_film",
            label="a moving digit, all frames at once and one by one",
            fps=8,
        )
    with left:
        st.markdown(
            "A video model denoises all frames at once, and each place of a frame looks along time. Beside it the same "
            f"network's frames, from four videos in turn (at guidance {GUIDANCE:g}): each is as good as any, and "
            "together they are no video."
        )
    with left:
        of = figures("video")
        st.markdown(
            "| frames of | the path bends, pixels a frame | the shape changes |\n|:--|--:|--:|\n"
            f"| this video | **{together[1].path:.2f}** | **{together[1].shape:.0%}** |\n"
            f"| these frames one by one | {alone[1].path:.2f} | {alone[1].shape:.0%} |\n"
            f"| {of['videos']} videos | {of['model']['path']:.2f} | {of['model']['shape']:.0%} |\n"
            f"| {of['videos']} real ones | {of['real']['path']:.2f} | {of['real']['shape']:.0%} |"
        )
        st.caption(
            f"{of['parameters']:,} weights, 16 frames of 32 x 32. The classifier of MNIST reads the digit asked for in "
            f"{of['model']['read']:.0%} of the frames (real videos: {of['real']['read']:.0%}), and the same digit in "
            f"all frames of {of['model']['one digit']:.0%} of the videos (real: {of['real']['one digit']:.0%}; one by "
            f"one: {of['one by one']['one digit']:.0%}). Large ones denoise a latent of space and time in a "
            f"transformer, and a step of them takes, as *Build your rig* counts, {_dearer()} times as many operations."
        )
