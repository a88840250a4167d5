"""How the model was made, and how well it does."""

from typing import Any

import streamlit as st

from explorer.lessons.voice_cloning.voices import NAME
from explorer.zoo import model_card, read_weights

CASES = {
    "trained voices": "known (selecting)",
    "voices kept out": "kept out, of the same maker (cloning)",
    "other synthesisers": "of other synthesisers (cloning)",
    "six people": "six people (cloning)",
}


def cases() -> None:
    """How well it does in each of the three cases."""
    figures = model_card(NAME)["metrics"]
    if not figures:
        st.caption("This model has not been measured yet.")
        return
    lines = [
        "| voices | speakers | the clone is nearest to its own | by chance | among the nearest three | likeness | real "
        "speech, nearest to its own | likeness |"
    ]
    lines.append("|:--|--:|--:|--:|--:|--:|--:|--:|")
    for case, told in CASES.items():
        if of := figures.get(case):
            lines.append(
                f"| {told} | {of['speakers']} | **{of['top 1']:g} %** | {100 / of['speakers']:.0f} % | "
                f"{of['top 3']:g} % | {of['likeness']:.2f} | {of['top 1 of real speech']:g} % | "
                f"{of['likeness of real speech']:.2f} |"
            )
    st.markdown("\n".join(lines))
    st.caption(
        "Judged by resemblyzer, a network of others that compares voices, on sentences that are not the reference's. "
        "Rows with fewer speakers are easier. Words and sounds were heard by two recognisers of others, pocketsphinx "
        "and hama; the figures above the film come from a judge of this course, which hears both."
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
        "| what | measured |\n|:--|--:|\n"
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
        st.download_button(
            "Weights as safetensors",
            lambda: read_weights(NAME),
            f"diffusion-explorer-{NAME}.safetensors",
            "application/octet-stream",
            on_click="ignore",
            icon=":material/save:",
            key="voice_save",
        )
