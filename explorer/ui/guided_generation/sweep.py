"""One prompt over guidance scales: what accuracy costs in variety."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st
import torch

from explorer.charts.guided_generation import sweep_chart
from explorer.guidance import MIDDLE
from explorer.lessons.guided_generation import checks
from explorer.lessons.guided_generation.models import concept_of
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite, mean_pairwise_distance
from explorer.ui.chart import chart
from explorer.ui.guided_generation.asking import Wish
from explorer.ui.guided_generation.computed import ends, said
from explorer.ui.sheet import Row, sheet
from explorer.zoo import load_judge

SCALES = (0.0, 1.0, 2.0, 4.0, 7.0, 10.0)
SEEDS = 8


def show(wish: Wish) -> None:
    """The same eight noises at each scale, drawn one after the other, and the trade-off under them."""
    low, high = (f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in MIDDLE)
    middle = st.toggle(
        "Guide in the middle noise levels only",
        key="guide_sweep_middle",
        bind="query-params",
        help=f"Between log-SNR {low} and {high}; outside, the prompt is taken at its word.",
    )
    rows, points = [], []
    place, bar = st.empty(), st.empty()
    for number, scale in enumerate(SCALES):
        bar.progress(number / len(SCALES), text=f"Drawing {SEEDS} pictures at scale {scale:g}.")
        asked = replace(wish.asked, n=SEEDS, guidance_scale=scale, guidance_interval=MIDDLE if middle else None)
        try:
            images = ends(wish.teller.name, asked)
        except NotFinite as error:
            st.error(f"Scale {scale:g}: {error}", icon=":material/error:")
            continue
        rows.append(Row(f"Scale {scale:g}", as_shown(images), [], f"{SEEDS} pictures at guidance scale {scale:g}"))
        spread = float(mean_pairwise_distance(torch.from_numpy(images).flatten(1))) / np.sqrt(images[0].size)
        judged = partial(right, wish, torch.from_numpy(images))
        points.append((scale, said(wish.teller.name, asked, wish.understood.known, judged), spread))
        with place.container():
            pictures, line = st.columns([1.2, 1], gap="large", vertical_alignment="center")
            with pictures:
                sheet(rows, [f"seed {place}" for place in range(1, SEEDS + 1)], title="Guidance scales and seeds")
            with line:
                dark = st.context.theme.type == "dark"
                chart(
                    sweep_chart(points, dark), alt="Share of right pictures, and variety, against the guidance scale."
                )
                st.caption(f"{what(wish)} Variety: the mean distance between two of the pictures, root mean square.")
    bar.empty()


def right(wish: Wish, images: torch.Tensor) -> float | None:
    """The share of the pictures that show the prompt; None where nothing can tell."""
    if wish.teller.name == "scenes":
        wanted = checks.request(wish.understood.known)
        return None if wanted is None else sum(checks.shows(image, wanted) for image in images) / len(images)
    concept = concept_of(wish.understood)
    if concept is None:
        return None
    return [best for (best,) in load_judge("emoji").name(images, "concept")].count(concept) / len(images)


def what(wish: Wish) -> str:
    """Who says what is right."""
    if wish.teller.name == "scenes":
        return "Right: all that the prompt says is there, by measuring the pixels."
    return "Right: the judge names the thing of the prompt first, among all that it knows."
