"""What is asked of a model: the prompt, how strongly it counts, and what the model understands of it."""

from dataclasses import dataclass

import streamlit as st

from explorer.lessons.guided_generation.models import TELLERS, Teller, vocabulary_by_kind
from explorer.lessons.guided_generation.pictures import Asked, text_encoder
from explorer.lessons.guided_generation.prompts import LONGEST, Understood, understand
from explorer.ui.controls import SAMPLER_LABELS, choice, one_of
from explorer.ui.glossary import meaning
from explorer.ui.guided_generation.computed import model
from explorer.ui.markdown import plain

STEPS = [2, 4, 6, 8, 10, 15, 20, 30, 50]
SCALES = [0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
PICTURES = 4
SAMPLERS = {name: label for name, label in SAMPLER_LABELS.items() if name != "langevin"}  # six calls a step


@dataclass(frozen=True)
class Wish:
    """Which model is asked, for what, and what it understands of the prompt."""

    teller: Teller
    asked: Asked
    understood: Understood


def choose_teller() -> Teller:
    """The model that is told."""
    return TELLERS[one_of("Model", {name: teller.label for name, teller in TELLERS.items()}, key="guide_model")]


def understood_by(teller: Teller, prompt: str) -> Understood:
    """A prompt as the model will read it."""
    return understand(prompt, text_encoder(model(teller.name)), teller.characters, teller.colours)


def ask(teller: Teller) -> Wish:
    """The controls of a drawing."""
    key = f"guide_{teller.name}"
    prompt = st.text_input(
        "Prompt",
        teller.prompt,
        key=f"{key}_prompt",
        bind="query-params",
        help=f"Words that the model knows, or emoji; {LONGEST} characters are read. Nothing at all is a prompt, too.",
    )
    _try(teller, key)
    negative = st.text_input(
        "Negative prompt",
        "",
        key=f"{key}_negative",
        bind="query-params",
        help=meaning("negative_prompt"),
    )
    with st.container(horizontal=True):
        scale = st.select_slider(
            "Guidance scale",
            SCALES,
            teller.guidance_scale,
            format_func=lambda scale: f"{scale:g}",
            key=f"{key}_scale",
            bind="query-params",
            width=190,
            help=meaning("guidance"),
        )
        seed = st.slider("Seed", 0, 99, 0, key="guide_seed", bind="query-params", width=130)
        steps = st.select_slider(
            "Steps", STEPS, 20, key="guide_steps", bind="query-params", width=130, help="Times visited on the way."
        )
        sampler = choice("Sampler", SAMPLERS, "ddim", key="guide_sampler", width=190)
    understood = understood_by(teller, prompt)
    against = understood_by(teller, negative) if negative.strip() else None
    asked = Asked(
        "" if understood.empty else understood.text,
        against.text if against and not against.empty else None,
        PICTURES,
        seed,
        scale,
        sampler,
        steps,
    )
    _say(teller, understood, against, scale)
    return Wish(teller, asked, understood)


def _try(teller: Teller, key: str) -> None:
    """Prompts that are a click away."""

    def take() -> None:
        chosen = st.session_state.pop(f"{key}_chip", None)
        if chosen:
            st.session_state[f"{key}_prompt"] = chosen

    def surprise() -> None:
        st.session_state["guide_surprises"] = turn = st.session_state.get("guide_surprises", 0) + 1
        st.session_state[f"{key}_prompt"] = teller.surprise(turn)

    st.pills("Prompts to try", list(teller.chips), key=f"{key}_chip", on_change=take, label_visibility="collapsed")
    st.button("Surprise me", on_click=surprise, icon=":material/casino:", key=f"{key}_surprise")


def _say(teller: Teller, understood: Understood, against: Understood | None, scale: float) -> None:
    """What the model reads, and what it cannot."""
    reads = " · ".join(piece.removeprefix("##") for piece in understood.known)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"It reads: **{plain(reads)}**" if reads else "It reads nothing.", width="stretch")
        with st.popover("Its words", icon=":material/menu_book:"):
            vocabulary = text_encoder(model(teller.name)).vocabulary
            for kind, words in vocabulary_by_kind(vocabulary, teller.name).items():
                st.markdown(f"**{kind}**: {plain(', '.join(words))}")
    for note in understood.notes:
        st.caption(f":material/info: {plain(note)}")
    if against is None:
        return
    if against.empty:
        st.caption(":material/info: The negative prompt says nothing to it: no prompt at all takes its place.")
        return
    for note in against.notes:
        st.caption(f":material/info: Of the negative prompt: {plain(note)}")
    if scale in (0, 1):
        does = "is all that is heard" if scale == 0 else "cancels"
        st.caption(f":material/info: At scale {scale:g} the negative prompt {does}.")
    pieces = text_encoder(model(teller.name)).vocabulary.pieces
    if pieces(against.text) == pieces(understood.text):
        st.caption(
            ":material/info: The negative prompt is the prompt: their difference is nothing, so that no guidance scale "
            "changes anything."
        )
