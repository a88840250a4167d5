"""How the large models differ."""

from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from explorer.lessons.guided_generation.large import LARGE, PARTS
from explorer.lessons.guided_generation.pictures import text_encoder
from explorer.ui.guided_generation.asking import Wish
from explorer.ui.guided_generation.computed import model
from explorer.ui.tables import wide

if TYPE_CHECKING:
    from explorer.networks.unet import UNet


def show(wish: Wish) -> None:
    """The parts of our model beside those of four large ones."""
    denoiser = model(wish.teller.name)
    encoder = text_encoder(denoiser)
    count = sum(parameter.numel() for parameter in denoiser.parameters())
    of_text = sum(parameter.numel() for parameter in encoder.parameters())
    channels, height, width = denoiser.shape
    size: dict[str, Any] = cast("UNet", denoiser.network).size
    ours = (
        f"words and plurals, {len(encoder.vocabulary):,} pieces, {encoder.length} places",
        f"{len(encoder.blocks)} blocks, trained with the rest: {of_text / 1e6:.1f} M",
        f"none: {height} x {width} x {channels}, the pixels themselves",
        f"U-Net, cross-attention at {len(size['looks'])} of {len(size['widths'])} levels",
        f"{count / 1e6:.1f} M",
        f"{denoiser.prediction}, a mix of image and noise",
        f"{wish.asked.steps} (chosen above)",
    )
    heads = [f"{wish.teller.label}, here", *(f"{large.name} ({large.year})" for large in LARGE)]
    rows = [
        ["Weights of the denoiser", f"{(count - of_text) / 1e6:.1f} M", *(_short(large.weights) for large in LARGE)]
    ]
    rows += [[part, ours[at], *(large.parts[at] for large in LARGE)] for at, part in enumerate(PARTS)]
    rows += [["Source", "this app", *(large.source for large in LARGE)]]
    wide(["part", *heads], rows, key="guide_large")
    st.caption(
        f"Same parts, other sizes: the largest of these denoisers has {LARGE[-1].weights / (count - of_text):,.0f} "
        "times the weights of ours. The weights of the four were counted on their published layouts."
    )


def _short(weights: int) -> str:
    return f"{weights / 1e6:,.0f} M" if weights < 1e9 else f"{weights / 1e9:.2f} B"
