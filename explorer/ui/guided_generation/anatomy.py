"""Guidance taken apart: on one step of the drawing, and in the plane, where everything is known."""

import numpy as np
import streamlit as st

from explorer.lessons.guided_generation.mixture import LABELS, middles
from explorer.lessons.views import EXTENT, as_shown
from explorer.ui.guided_generation.asking import SCALES, Wish
from explorer.ui.guided_generation.computed import anatomy, bent, model
from explorer.ui.guided_generation.drawing import LETTERS, minus
from explorer.ui.player import Scene, player
from explorer.ui.sheet import Row, sheet


def show(wish: Wish) -> None:
    """A step of the drawing on the left, the mixture on the right."""
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        one_step(wish)
    with right:
        in_the_plane()


def one_step(wish: Wish) -> None:
    """What the model says at a step without the prompt and with it, their difference, and the sum."""
    steps = wish.asked.steps
    step = st.slider(
        "At step",
        1,
        steps,
        max(1, steps // 8),
        key=f"guide_step_{steps}",
        bind="query-params",
        help="Counted from pure noise.",
        width=260,
    )
    found = anatomy(wish.teller.name, wish.asked, step - 1)
    difference = found.conditional - found.unconditional
    largest = float(np.abs(difference).max())
    shown = difference / largest if largest > 1e-4 else difference
    without = "not: " + wish.asked.negative if wish.asked.negative else "no prompt"
    heads = [
        "x\N{LATIN SUBSCRIPT SMALL LETTER T}",
        without[:24],
        "prompt",
        "difference",
        f"scale {wish.asked.guidance_scale:g}",
    ]
    parts = np.stack([found.x, found.unconditional, found.conditional, shown, found.guided], 1)
    rows = [
        Row(f"Picture {letter}", as_shown(part), [], f"Guidance at step {step}, picture {letter}")
        for letter, part in zip(LETTERS, parts[:3], strict=False)
    ]
    sheet(rows, heads, title=f"Guidance taken apart at step {step}")
    level = float(model(wish.teller.name).schedule.log_snr(found.t))
    st.caption(
        f"Guesses of x₀ at log-SNR {minus(level)}. The difference is drawn around grey and stretched: its largest "
        f"value is {largest:.2f}, on pixels from −1 to 1. The last column is the second plus "
        f"{wish.asked.guidance_scale:g} times the difference."
    )


def in_the_plane() -> None:
    """Three Gaussians with labels: the exact flow to one of them, bent by the scale."""
    scale = st.select_slider(
        "Guidance scale in the plane",
        [scale for scale in SCALES if scale],
        4.0,
        format_func=lambda scale: f"{scale:g}",
        key="guide_plane",
        bind="query-params",
        width=260,
    )
    scenes = []
    for one in dict.fromkeys((1.0, scale)):
        paths, field = bent(one)
        scenes.append(
            Scene(
                f"Scale {one:g}: {paths.right:.0%} end nearest to “{LABELS[0]}”, spread {paths.spread:.2f}",
                paths.x,
                paths.t,
                paths.x0,
                role="exact",
                target=middles().numpy(),
                field=field.astype(np.float32),
            )
        )
    player(scenes, key="guide_plane_player", extent=EXTENT, layers=("points", "paths", "field"))
    st.caption(
        "Three equal Gaussians at the corners of a triangle, each with a label; all points ask for the upper one, "
        f"“{LABELS[0]}”. No network is involved, the way of each point is computed exactly: what bends it is guidance "
        "alone, which pushes away from the two others, and crowds the points together. Spread: the standard deviation "
        "of where they end, divided by that of the Gaussian."
    )
