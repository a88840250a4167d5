"""From one prompt to another, a word swapped, and prompts added and taken away."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explorer.lessons.guided_generation.arithmetic import nearest_words
from explorer.lessons.guided_generation.pictures import text_encoder
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.controls import sentence
from explorer.ui.guided_generation.asking import Wish, understood_by
from explorer.ui.guided_generation.computed import between, drawing, model, plus_minus, swap
from explorer.ui.guided_generation.drawing import LETTERS
from explorer.ui.markdown import plain
from explorer.ui.sheet import Row, sheet
from explorer.zoo import model_card

OTHER = {"emoji": "purple owl", "scenes": "a red star above a blue square"}
SUMS = {  # the first is there to begin with
    "emoji": (
        ("purple penguin", "penguin", "robot"),
        ("strawberry in fluent style", "strawberry", "guitar"),
        ("princess", "woman", "man"),
        ("cat", "dog", "car"),
    ),
    "scenes": (
        ("a red circle above a blue square", "a red circle", "a green heart"),
        ("a big star on a yellow background", "yellow", "blue"),
        ("two red hearts", "two", "three"),
    ),
}
BETWEEN = 8


def show(wish: Wish) -> None:
    """The three kinds, one after the other."""
    name = wish.teller.name
    typed = st.text_input(
        "Another prompt", OTHER[name], key=f"guide_{name}_other", bind="query-params", max_chars=300, width=420
    )
    other = understood_by(wish.teller, typed)
    for note in other.notes:
        st.caption(f":material/info: {plain(note)}")
    first, second = wish.understood.text or "no prompt", other.text or "no prompt"
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Swap the words, keep the noise**")
        swapped(wish, other.text)
    with right:
        st.markdown("**Prompts added and taken away**")
        added(wish)
    st.markdown("**From one to the other, on one noise**")
    row = between(name, wish.asked, other.text, BETWEEN)
    heads = [f"{place / (BETWEEN - 1):.0%}" for place in range(BETWEEN)]
    sheet(
        [Row(f"{first} → {second}", as_shown(row), [], f"From {first} to {second}")],
        heads,
        title=f"From {first} to {second}",
    )
    st.caption(
        "The vectors of the words are mixed, place by place, and so is their mean; the noise is the same. Look where "
        "one thing becomes the other: between two words lies no third."
    )


def swapped(wish: Wish, other: str) -> None:
    """The other prompt on the same noise, free, and with the looks of the first."""
    kept = st.slider(
        "Steps that keep where the words looked",
        0,
        100,
        60,
        10,
        key="guide_kept",
        format="%d%%",
        bind="query-params",
        help="Prompt-to-prompt: for so many of the steps each place looks at the words as it did in the first picture.",
        width=300,
    )
    free = drawing(wish.teller.name, replace(wish.asked, prompt=other)).pictures
    try:
        one, held = swap(wish.teller.name, wish.asked, other, kept / 100)
    except NotFinite:
        raise
    except ValueError as error:
        st.caption(f":material/info: To keep the looks, {plain(sentence(error)[0].lower() + sentence(error)[1:])}")
        one, held = drawing(wish.teller.name, wish.asked).pictures, None
    rows = [
        Row("The prompt", as_shown(one), [], "Pictures of the prompt"),
        Row("The other, free", as_shown(free), [], "Pictures of the other prompt from the same noise"),
    ]
    if held is not None:
        rows.append(Row("The other, looking as the first did", as_shown(held), [], "The other prompt, looks kept"))
    sheet(rows, list(LETTERS), title="The words swapped, the noise kept")


def added(wish: Wish) -> None:
    """Plus, minus, plus: pictures of a sum of texts, and the words that are nearest to a sum of words."""
    name = wish.teller.name
    keys = [f"guide_{name}_{place}" for place in range(3)]

    def take() -> None:
        if (chosen := st.session_state.pop(f"guide_{name}_sum", None)) is not None:
            st.session_state.update(zip(keys, SUMS[name][chosen], strict=True))

    st.pills(
        "Sums to try",
        range(len(SUMS[name])),
        format_func=lambda number: "{} − {} + {}".format(*SUMS[name][number]),
        key=f"guide_{name}_sum",
        on_change=take,
        label_visibility="collapsed",
        wrap=True,
    )
    with st.container(horizontal=True):
        texts = [
            st.text_input(label, default, key=key, bind="query-params", max_chars=100, width=126)
            for key, label, default in zip(keys, ("This", "minus", "plus"), SUMS[name][0], strict=True)
        ]
    told = [understood_by(wish.teller, text) for text in texts]
    for note in dict.fromkeys(note for one in told for note in one.notes):
        st.caption(f":material/info: {plain(note)}")
    images = plus_minus(name, wish.asked, *(one.text for one in told))
    sheet(
        [
            Row(
                " ".join(
                    ("−", "+")[sign] + " " + one.text if place else one.text
                    for place, (sign, one) in enumerate(zip((1, 0, 1), told, strict=True))
                ),
                as_shown(images),
                [],
                "Pictures of the sum",
            )
        ],
        list(LETTERS),
        title="Prompts added and taken away",
    )
    if found := model_card(name)["metrics"].get("sums"):
        st.caption(measured(found))
    encoder = text_encoder(model(name))
    signed: dict[str, int] = {}
    for sign, one in zip((1, -1, 1), told, strict=True):
        for word in one.known:
            signed[word] = signed.get(word, 0) + sign
    left = [(word, sign) for word, sign in signed.items() if sign]
    if left:
        near = ", ".join(f"{word} {cosine:.2f}" for word, cosine in nearest_words(encoder, left))
        sum_of = " ".join(f"{'+' if sign > 0 else '−'} {word}" for word, sign in left).removeprefix("+ ")
        st.caption(
            f"In the table of words, nearest to {plain(sum_of)} by cosine: {plain(near)}. These vectors learned from "
            "captions of pictures, not from books: do not expect that king − man + woman is queen."
        )


def measured(found: dict[str, Any]) -> str:
    """How often such sums come out right, by the model's card."""
    if "scene" in found:
        scene = found["scene"]
        return (
            f"Measured on {scene['prompts']} sums like the first: all of the new scene is right in "
            f"{scene['sum'][0]:.0%}; told in words, in {scene['told'][0]:.0%}."
        )
    said = {
        kind: f"the thing is right in {found[kind]['sum'][0]:.0%} and the {kind} in {found[kind]['sum'][1]:.0%} (told "
        f"in words: {found[kind]['told'][0]:.0%} and {found[kind]['told'][1]:.0%})"
        for kind in ("colour", "style")
    }
    third, first = found["things"]["sum"]
    return (
        f"Measured on {found['colour']['prompts']} sums of each kind. A colour taken from one thing to another: "
        f"{said['colour']}. A style: {said['style']}. Where three things have no word in common, as in cat − dog + "
        f"car, the third comes in {third:.0%}, and the first stays in {first:.0%}."
    )
