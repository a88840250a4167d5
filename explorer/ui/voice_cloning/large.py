"""How the large models differ, and how well this one does."""

from typing import Any

import streamlit as st

from explorer.lessons.voice_cloning.large import LARGE, PARTS
from explorer.lessons.voice_cloning.voices import NAME, model
from explorer.zoo import FOLDER, model_card

CASES = {
    "trained voices": "known (selecting)",
    "voices kept out": "kept out, of the same maker (cloning)",
    "other synthesisers": "of other synthesisers (cloning)",
    "six people": "six people (cloning)",
}


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
    lines = [["", *heads], [":--"] * (len(heads) + 1), *rows]
    with st.container(key="voice_large"):
        st.html("<style>.st-key-voice_large { overflow-x: auto; }</style>")
        st.markdown("\n".join("|" + "|".join(line) + "|" for line in lines))
    st.caption(
        "As their authors tell them; not measured here. What they have more of is speech: thousands of hours of "
        "thousands of people, which is what cloning a stranger takes."
    )


def cases() -> None:
    """How well it does in each of the three cases."""
    figures = model_card(NAME)["metrics"]
    if not figures:
        st.caption("This model has not been measured yet.")
        return
    lines = [
        "| voices | speakers | the clone is nearest to its own | among the nearest three | likeness | real speech |"
    ]
    lines.append("|:--|--:|--:|--:|--:|--:|")
    for case, told in CASES.items():
        if of := figures.get(case):
            lines.append(
                f"| {told} | {of['speakers']} | **{of['top 1']:g} %** | {of['top 3']:g} % | {of['likeness']:.2f} | "
                f"{of['likeness of real speech']:.2f}, {of['top 1 of real speech']:g} % |"
            )
    st.markdown("\n".join(lines))
    st.caption(
        "Judged by resemblyzer, which others made, on sentences that are not the reference's. Chance is one in the "
        "number of speakers."
    )
    names = {
        "digits heard, trained voices": "digits heard by pocketsphinx, known voices",
        "digits heard, real people": "digits heard by pocketsphinx, real people",
        "digits heard, real people through the vocoder": "the same, their features through the vocoder",
        "phone errors of sentences, trained voices": "wrong sounds by hama, sentences in known voices",
        "phone errors of sentences, voices kept out": "wrong sounds by hama, sentences in voices kept out",
        "phone errors of real speech": "wrong sounds by hama, Kokoro's own speech",
        "phone errors through the vocoder": "the same, its features through the vocoder",
        "phone errors through Griffin-Lim": "the same through Griffin and Lim's method",
    }
    st.markdown(
        "| what | |\n|:--|--:|\n"
        + "\n".join(f"| {words} | {figures[name]:g} % |" for name, words in names.items() if name in figures)
    )


def card() -> None:
    """How the model was made."""
    about: dict[str, Any] = model_card(NAME)
    with st.expander("The model", icon=":material/description:"):
        st.markdown(f"{about['data'][:1].upper()}{about['data'][1:]}. Terms: {about['terms']}.")
        training = about["training"]
        st.markdown(
            f"{about['parameters']:,} weights, {training['steps']:,} steps of {training['batch_size']} pieces of "
            f"{training['frames'] / 80:g} s, {training['seconds'] / 3600:.1f} hours on {training['machine']}: "
            f"`{about['command']}`."
        )
        cases()
        st.download_button(
            "Weights as safetensors",
            lambda: (FOLDER / f"{NAME}.safetensors").read_bytes(),
            f"diffusion-explorer-{NAME}.safetensors",
            "application/octet-stream",
            on_click="ignore",
            icon=":material/save:",
            key="voice_save",
        )
