"""What was asked of the shipped models before: once a process, since all sessions share them."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer.ui.turns import in_turn, turn

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.lessons.conclusion_ethics.bias import Returned
    from explorer.lessons.conclusion_ethics.memory import Extracted

MEASURING = "Asking the model…"


@st.cache_resource(max_entries=32, show_spinner=MEASURING)
@in_turn
def extracted(count: int, n: int, seed: int) -> "Extracted":
    from explorer.lessons.conclusion_ethics import memory

    return memory.extract(count, n, seed)


@st.cache_resource(max_entries=64, show_spinner=MEASURING)
@in_turn
def returned(share: int, n: int, guidance_scale: float, seed: int) -> "Returned":
    import explorer as ex
    from explorer.lessons.conclusion_ethics import bias

    return bias.returned(ex.load_pretrained(bias.MODELS[share]), n, guidance_scale, seed)


@st.cache_resource(max_entries=32, show_spinner=MEASURING)
@in_turn
def pair(prompt: str, seed: int) -> "Tensor":
    from explorer.lessons.conclusion_ethics import provenance

    return provenance.pair(prompt, seed)


@st.cache_resource(max_entries=64, show_spinner=MEASURING)
def harmed(prompt: str, seed: int, harm: str) -> "tuple[Tensor, Tensor, list[float]]":
    """The marked picture and the other one, (2, 3, 32, 32), after a harm, their noise, and how well the rings fit."""
    from explorer.lessons.conclusion_ethics import provenance

    before = pair(prompt, seed)
    with turn():
        after = provenance.HARMS[harm].does(before).clamp(-1, 1)
        noise = provenance.noise_of(after)
    return after, noise, provenance.fit(noise).tolist()
