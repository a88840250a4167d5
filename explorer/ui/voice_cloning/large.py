"""How the large models differ."""

import streamlit as st

from explorer.lessons.voice_cloning.large import LARGE, PARTS
from explorer.lessons.voice_cloning.voices import NAME, model
from explorer.ui.tables import wide
from explorer.zoo import model_card


def show() -> None:
    """The parts of our model beside those of five large ones."""
    count = sum(parameter.numel() for parameter in model().denoiser.parameters())
    vocoder = sum(parameter.numel() for parameter in model().vocoder.parameters())
    about = model_card(NAME)
    ours = (
        "64 bands and a pitch, 80 frames a second",
        "one vector of 128 numbers, of a reference encoder",
        "**diffusion**, durations predicted apart",
        f"pulses and noise through learned filters, {vocoder / 1e6:.1f} M",
        f"{count / 1e6:.1f} million",
        about["data"].partition(", each")[0],
    )
    heads = ["here", *(f"{large.name} ({large.year})" for large in LARGE)]
    rows = [[part, ours[at], *(large.parts[at] for large in LARGE)] for at, part in enumerate(PARTS)]
    rows.append(["Source", "this app", *(large.source for large in LARGE)])
    wide(["part", *heads], rows, key="voice_large")
    st.caption(
        "As their authors tell them; not measured here. What they have more of is speech: thousands of hours of "
        "thousands of people, which is what cloning a stranger takes."
    )
