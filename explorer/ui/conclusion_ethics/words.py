"""Text: words invented by showing hidden letters in any order."""

import html
from typing import TYPE_CHECKING

import streamlit as st

from explorer.lessons.conclusion_ethics.figures import figures
from explorer.ui.controls import choice, sentence
from explorer.ui.markdown import plain
from explorer.ui.turns import in_turn

if TYPE_CHECKING:
    from explorer.lessons.conclusion_ethics.words import Invented

ORDERS = {"random": "In any order", "left": "From left to right", "confident": "Where it is surest first"}
WORDS = 6


@st.cache_resource(max_entries=64, show_spinner="Inventing…")
@in_turn
def _invented(pattern: str, order: str, at_once: int, temperature: float, seed: int) -> "list[Invented]":
    from explorer.lessons.conclusion_ethics import words

    return words.invent(pattern, WORDS, order, at_once, temperature, seed)


def show() -> None:
    """The controls in a row, how each word came to be, and what was measured."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pattern = st.text_input(
            "Pattern",
            "",
            max_chars=12,
            key="ethics_pattern",
            bind="query-params",
            placeholder="di____ion",
            help="Letters that stay, and _ for those that the model chooses. Empty: all are hidden.",
            width=150,
        )
        order = choice("Order", ORDERS, "random", key="ethics_order", width=210)
        at_once = st.slider("Letters a step", 1, 12, 1, key="ethics_at_once", bind="query-params", width=110)
        temperature = st.slider("Temperature", 0.1, 1.5, 1.0, 0.1, key="ethics_heat", bind="query-params", width=110)
        seed = st.slider("Seed", 0, 99, 0, key="ethics_words_seed", bind="query-params", width=110)
    try:
        found = _invented(pattern, order, at_once, temperature, seed)
    except ValueError as error:
        st.error(plain(sentence(error)), icon=":material/abc:")
        return
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        st.markdown(
            "Noise for letters is **hiding** them. The model guesses all hidden letters, one of them is shown, and it "
            "guesses again: no order is built in, unlike in a model that writes from left to right."
        )
        table(found)
    with right:
        measured()


def table(found: "list[Invented]") -> None:
    """A column for each word, a row for each step; what is new is bold."""
    rows = []
    for step in range(len(found[0].states)):
        cells = []
        for one in found:
            before = one.states[step - 1] if step else one.states[0]
            shown = "".join(
                f"<b>{html.escape(sign)}</b>" if place >= len(before) or before[place] != sign else html.escape(sign)
                for place, sign in enumerate(one.states[step])
            )
            cells.append(f"<td>{shown.replace('_', '·')}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    last = "".join(
        f"<td><strong>{html.escape(one.word) or '–'}</strong><br><small>{'known' if one.known else 'new'}</small></td>"
        for one in found
    )
    letters = "font-family: monospace; font-size: max(var(--least, 0px), clamp(0.7rem, 1.5cqi, 1.1rem))"
    style = f"{letters}; width: 100%; border-collapse: collapse"
    st.html(
        '<div style="container-type: inline-size; overflow-x: auto" tabindex="0" role="region" '
        f'aria-label="How each word came to be"><table style="{style}">{"".join(rows)}<tr>{last}</tr></table></div>'
    )


def measured() -> None:
    """What was measured on many words."""
    of = figures("letters")
    lines = [
        "| order, letters a step | words of the dictionary | spoken like words (log-likelihood a letter) |",
        "|:--|--:|--:|",
    ]
    lines += [f"| {one['order']}, {one['at once']} | {one['known']:.1%} | {one['nats']:.2f} |" for one in of["ways"]]
    lines.append(f"| letters drawn by their frequency | {of['chance']['known']:.1%} | {of['chance']['nats']:.2f} |")
    lines.append(f"| words that were held out | 100 % | {of['held out']['nats']:.2f} |")
    st.markdown("\n".join(lines))
    st.caption(
        f"Of {of['samples']:,} words each; log-likelihood by a model of three letters in a row, counted on the "
        f"training words. The model has {of['parameters']:,} weights and learned {of['words']:,} words of the CMU "
        "Pronouncing Dictionary, many of them names. Letters shown in one step do not know of each other: more a step "
        "are faster and worse. Large ones (LLaDA, Mercury, Gemini Diffusion) do the same with pieces of words, a "
        "thousand places at a time."
    )
