"""From a real image to its noise under DDIM, and back."""

from functools import partial

import numpy as np
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from explorer.data.digest import digest
from explorer.data.mnist import shipped_mnist
from explorer.dataset import ImageDataset
from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.walks import RoundTrip
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.chart import chart
from explorer.ui.controls import choice
from explorer.ui.datasets import offer_missing
from explorer.ui.pad import draw_image
from explorer.ui.sampling_showdown.cache import remembered
from explorer.ui.sampling_showdown.controls import few_steps, steps_control
from explorer.ui.sampling_showdown.words import PIXELS, see
from explorer.ui.sheet import Row, sheet
from explorer.ui.shelf import ImageModel, held_out_of
from explorer.ui.spent import fragment


@fragment
def round_trip(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """A real image, its noise under DDIM, and the way back."""
    from explorer.charts.sampling_showdown import error_chart

    with st.container(horizontal=True):
        image, number, note = real_image(model)
        steps = steps_control("show_trip_steps", few_steps(model, 20), 10)
    condition = None if number is None else torch.tensor([number])
    x0 = torch.from_numpy(image)[None]

    def trip(count: int) -> RoundTrip:
        compute = partial(showdown.round_trip, model.denoiser, x0, count, condition)
        return remembered(model, ("trip", count, number, digest(image)), compute)

    try:
        found = trip(steps)
        errors = {count: trip(count).error for count in sorted({2, 5, 10, steps})}
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")
        takeaway.markdown(f"- The way to the noise and back cannot be shown on this model. {see('round-trip')}")
        return
    picture, line = st.columns([3, 2], gap="large", vertical_alignment="center")
    with picture:
        difference = found.back - found.image
        shown = np.concatenate([found.image, found.noise, found.back, difference])
        heads = ["the image", "its noise", "back again", "difference"]
        title = "A real image, the noise that DDIM finds for it, and the way back"
        sheet([Row("", as_shown(shown), [], title)], heads, title=title)
        short = (
            " What is found is not quite noise: where the image is one flat shade, the first steps up hardly change "
            "it, so its outline stays visible and the standard deviation below 1."
        )
        st.caption(note + short * bool(found.noise.std() < 0.95))
        if st.session_state["show_trip_source"] == "real" and held_out_of(model) is None:
            offer_missing("show", model.dataset)
        with st.container(horizontal=True):
            help = f"Root mean square over the pixels ({PIXELS})."
            st.metric("Error", f"{found.error:.3f}", width="content", help=help)
            help = "Of the values of the noise that was found. Those of N(0, 1) have mean 0 and standard deviation 1."
            st.metric("Mean of the noise", f"{found.noise.mean():+.2f}".replace("-", "−"), width="content", help=help)
            st.metric("Its standard deviation", f"{found.noise.std():.2f}", width="content", help=help)
    with line:
        dark = st.context.theme.type == "dark"
        chart(error_chart(errors, steps, dark), alt="Error of the round trip against steps each way.")
    few, many = min(errors), max(errors)
    takeaway.markdown(
        "- **DDIM can be run from an image up to its noise, the better the smaller its steps.** Up and down again it "
        f"makes an error of {errors[few]:.3f} in {few} steps each way and {errors[many]:.3f} in {many}. "
        f"{see('round-trip')}"
    )


def real_image(model: ImageModel) -> tuple[np.ndarray, int | None, str]:
    """An image that no sampler made, (channels, height, width) in [-1, 1]; its class; and where it is from."""
    channels, height, width = model.denoiser.shape
    unseen = held_out_of(model)
    sources = {"real": "Real image", "drawing": "Your drawing"}
    source = st.radio(
        "Image",
        list(sources),
        format_func=sources.__getitem__,
        horizontal=True,
        key="show_trip_source",
        width="content",
        bind="query-params",
    )
    number = None
    if model.classes:
        labels = {str(index): name for index, name in enumerate(model.classes)}
        number = int(choice("Its class", labels, "4" if "4" in labels else "0", key="show_trip_class", width=110))
    if source == "drawing":
        drawn = draw_image(key=f"show_pad_{height}", size=height)
        if drawn is not None:
            return np.stack([drawn] * channels), number, "Your drawing."
    which = st.slider("Image number", 1, 20, 1, key="show_trip_which", bind="query-params", width=160)
    if unseen is not None:
        return one_of(unseen, number, which), number, "An image that this app holds out of every training."
    note = (
        "The images that this model learned from are not here: this is a real image of MNIST, which nobody trained on."
    )
    image = one_of(shipped_mnist("held-out"), number, which)[None]
    fitted = torch.nn.functional.interpolate(torch.from_numpy(image), (height, width), mode="area")
    return fitted[0].expand(channels, -1, -1).numpy(), number, note


def one_of(dataset: ImageDataset, number: int | None, which: int) -> np.ndarray:
    """An image of a data set, counted from 1, of the class `number` where it has that."""
    images = dataset.images
    if number is not None and dataset.labels is not None and bool((dataset.labels == number).any()):
        images = images[dataset.labels == number]
    return images[(which - 1) % len(images)].numpy()
