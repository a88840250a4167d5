"""A mark in the noise, looked for after what happens to pictures, and in a file."""

import numpy as np
import streamlit as st
import torch

from explorer.lessons.conclusion_ethics.figures import figures
from explorer.lessons.conclusion_ethics.provenance import (
    FOUND,
    HARMS,
    STEPS,
    as_file,
    as_picture,
    rewritten,
    score,
    text_in,
)
from explorer.ui.conclusion_ethics.computed import harmed, pair
from explorer.ui.controls import choice, one_of, sentence
from explorer.ui.markdown import plain
from explorer.ui.sheet import Row, sheet

PROMPTS = {"purple penguin": "purple penguin", "red car": "red car", "a happy cat": "a happy cat"}
HARM_LABELS = {name: harm.label.capitalize() if name != "jpeg90" else harm.label for name, harm in HARMS.items()}
SOURCE = "made by a model: Diffusion Explorer, emoji, synthetic"
WHAT = {"made": "A picture made here", "file": "A file"}


def show() -> None:
    """The controls in a row, the mark on the left, what was measured on the right."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width="content"):
            looked_for = one_of("Look for the mark in", WHAT, key="ethics_marked")
        if looked_for == "made":
            prompt = choice("Prompt", PROMPTS, "purple penguin", key="ethics_prompt", width=150)
            harm = choice("What happens to it", HARM_LABELS, "nothing", key="ethics_harm", width=240)
            seed = st.slider("Seed", 0, 99, 0, key="ethics_mark_seed", bind="query-params", width=110)
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        if looked_for == "file":
            given()
        else:
            made(prompt, harm, seed)
    with right:
        measured()


def made(prompt: str, harm: str, seed: int) -> None:
    """Two pictures from one seed, one with rings in its noise, and what is found after a harm."""
    after, noise, fits = harmed(prompt, seed, harm)
    found = fits[0] >= FOUND
    st.markdown(f"## The mark is {'found' if found else 'not found'}: the rings fit {fits[0]:.2f}, {FOUND} is needed")
    spectrum = torch.fft.fftshift(torch.fft.fft2(noise).real[:, 0], dim=(1, 2)) / noise.shape[-1]
    before = pair(prompt, seed)
    names = ("with the mark", "without it")
    grey = np.repeat((spectrum / 2).clamp(-1, 1).numpy()[..., None], 3, -1)
    for number, name in enumerate(names):
        images = np.stack(
            [before[number].permute(1, 2, 0).numpy(), after[number].permute(1, 2, 0).numpy(), grey[number]]
        )
        sheet(
            [
                Row(
                    f"{name.capitalize()}: the rings fit {fits[number]:.2f}",
                    images,
                    ["drawn", "after that", "its noise, as waves"],
                    f"The picture {name}, after {HARMS[harm].label}, and the spectrum of its noise",
                )
            ],
            [""] * 3,
            title=f"The picture {name}, what happened to it, and the waves of its noise",
        )
    st.caption(
        f"DDIM walks each picture back to noise in {STEPS} steps, without its prompt. On the right the waves of that "
        "noise, slow ones in the middle: the secret numbers stand on circles around it."
    )
    st.download_button(
        "The marked picture as PNG",
        lambda: as_file(before[0], "PNG", SOURCE),
        "marked.png",
        "image/png",
        on_click="ignore",
        icon=":material/download:",
        key="ethics_save",
    )


def given() -> None:
    """A picture file: does it say where it comes from, and is the mark in it?"""
    st.caption("A PNG, JPEG or WebP of up to 10 MB; it is looked at in memory and not kept.")
    file = st.file_uploader("A picture", ["png", "jpg", "jpeg", "webp"], key="ethics_file", max_upload_size=10)
    if file is None:
        return
    try:
        picture = as_picture(file.getvalue())
    except ValueError as error:
        st.error(plain(sentence(error)), icon=":material/broken_image:")
        return
    fit = score(picture)[0].item()
    text = text_in(file.getvalue())
    st.image(picture[0].permute(1, 2, 0).numpy() / 2 + 0.5, caption="As the model sees it, 32 x 32", width=160)
    if fit >= FOUND:
        st.success(f"The mark is there: the rings fit {fit:.2f}, {FOUND} is needed.", icon=":material/verified:")
    else:
        st.info(
            f"No mark is found: the rings fit {fit:.2f}, {FOUND} is needed. That does not mean that a person drew it: "
            "other models leave no mark, or another one.",
            icon=":material/question_mark:",
        )
    st.markdown(
        f"Its metadata say: *{plain(text[:200])}*. Anybody can write that, and anybody can remove it."
        if text
        else "Its metadata say nothing of where it comes from."
    )


def measured() -> None:
    """How often the mark is found, and whether a text in the file would have survived."""
    of = figures("provenance")
    content = as_file(torch.zeros(3, 8, 8), "PNG", SOURCE)
    lines = ["| what happens to it | found | the rings fit | text in a PNG |", "|:--|--:|--:|:--|"]
    for name, harm in HARMS.items():
        survives = "is there" if text_in(content if name == "nothing" else rewritten(content)) else "is gone"
        lines.append(f"| {harm.label} | **{of['found'][name]:.0%}** | {of['score'][name]:.2f} | {survives} |")
    st.markdown("\n".join(lines))
    st.markdown(
        f"{of['pictures']} marked pictures of ten prompts. False alarms: **{of['false']} of {of['unmarked']}** "
        f"pictures without the mark, {of['drawn']} of them by artists; the highest fits "
        f"{of['highest of unmarked']:.2f}."
    )
    st.caption(
        "The text goes whenever a program writes the picture anew, as every row but the first does; a signed one "
        "(C2PA) cannot be forged, but it goes as easily. The mark stays where the noise is found again. A crop of "
        "two pixels moves all rings, and who has the model can draw the picture anew, as in the last row; who "
        "knows the key can put it into pictures that no model made."
    )
