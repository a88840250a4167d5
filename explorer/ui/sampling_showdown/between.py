"""Between two noises: images under DDIM and under DDPM."""

from functools import partial

import numpy as np
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.samplers import first_noise
from explorer.ui.controls import SAMPLER_LABELS
from explorer.ui.sampling_showdown.cache import remembered
from explorer.ui.sampling_showdown.controls import class_control, few_steps, seed_control, steps_control
from explorer.ui.sampling_showdown.words import see
from explorer.ui.sheet import Row, sheet
from explorer.ui.shelf import ImageModel
from explorer.ui.spent import fragment

BETWEEN = 7


@fragment
def between(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """Images between two noises, under DDIM and under DDPM."""
    with st.container(horizontal=True):
        classes = class_control(model, "show_between_class", "3")
        steps = steps_control("show_between_steps", few_steps(model, 10), 5)
        first = seed_control("show_between_from", 3, "Seed of the left noise")
        last = seed_control("show_between_to", 7, "Seed of the right noise")

    def images_of(sampler: str) -> torch.Tensor:
        a, b = (first_noise(model.denoiser, 1, seed)[0] for seed in (first, last))
        noises = showdown.slerp(a, b, torch.linspace(0, 1, BETWEEN))
        return showdown.end(model.denoiser, Method(sampler, steps), Start(BETWEEN, 0, classes), noises)

    rows, largest = [], {}
    for sampler, how in {"ddim": "the start decides", "ddpm": "fresh noise at every step"}.items():
        about = ("between", sampler, steps, first, last, classes)
        images = remembered(model, about, partial(images_of, sampler))
        try:
            jumps = showdown.jumps(images).tolist()
        except NotFinite as error:
            st.error(str(error), icon=":material/error:")
            takeaway.markdown(f"- The way between two noises cannot be shown on this model. {see('between')}")
            return
        largest[sampler] = max(jumps)
        name = SAMPLER_LABELS[sampler]
        title = f"{name}: {how}. Largest jump {max(jumps):.2f}"
        captions = ["", *(f"{jump:.2f}" for jump in jumps)]
        rows.append(Row(title, as_shown(images.numpy()), captions, f"{BETWEEN} images between two noises under {name}"))
    sheet(rows, [f"{share:.0%}" for share in np.linspace(0, 1, BETWEEN)], title="Images between two noises")
    st.caption(
        "Under each image: how far it is from the one on its left, root mean square over the pixels. Guidance 1."
    )
    takeaway.markdown(
        "- **Where no noise is added, a small change of the start makes a small change of the image.** Between "
        f"neighbours on the way from one noise to another the largest jump is {largest['ddim']:.2f} under DDIM and "
        f"{largest['ddpm']:.2f} under DDPM. {see('between')}"
    )
