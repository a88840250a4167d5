"""The four pictures as they come, and what is to be said of them."""

from functools import partial
from typing import Any

import streamlit as st
import torch

from explorer.lessons.guided_generation import checks
from explorer.lessons.guided_generation.models import concept_of, never_trained
from explorer.lessons.guided_generation.pictures import Drawing
from explorer.lessons.guided_generation.recall import artists_apart, nearest_drawn
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.film import Strip, film
from explorer.ui.guided_generation.asking import Wish
from explorer.ui.guided_generation.computed import drawing, model, said
from explorer.ui.markdown import plain
from explorer.ui.sheet import Row, sheet
from explorer.ui.spent import fragment
from explorer.zoo import load_judge, read_weights

LETTERS = "ABCD"
RATES = ("colour", "concept", "shape")


def minus(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def show_drawing(wish: Wish) -> Drawing | None:
    """The film of the drawing, how long it took, and what can be measured on it; None where the model blew up."""
    try:
        drawn = drawing(wish.teller.name, wish.asked)
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")
        return None
    levels = model(wish.teller.name).schedule.log_snr(torch.from_numpy(drawn.t))
    captions = [
        "done" if t == 0 else f"step {step + 1} of {len(drawn.t) - 1}, log-SNR {minus(level)}"
        for step, (t, level) in enumerate(zip(drawn.t, levels.tolist(), strict=True))
    ]
    film(
        [
            Strip("What is there: x\N{LATIN SUBSCRIPT SMALL LETTER T}", as_shown(drawn.x), captions, "noise"),
            Strip("What the model guesses: x₀", as_shown(drawn.guess), captions, "model"),
        ],
        key="guide_film",
        fps=6,
        label=f"four pictures of the prompt, from noise to {wish.asked.steps} steps later",
    )
    unseen = never_trained(wish.teller.name, wish.understood)
    st.caption(
        f"{len(drawn.pictures)} pictures, {wish.asked.steps} steps, {drawn.evaluations} network calls, "
        f"**{drawn.seconds:.2f} s** when they were first drawn, reading the prompt included. "
        f"{said(wish.teller.name, wish.asked, wish.understood.known, partial(verdict, wish, drawn))}"
        + (f" It was never trained on: {plain(', '.join(unseen))}." if unseen else "")
    )
    return drawn


def choose_picture(key: str) -> int:
    """Which of the pictures is meant, counted from 0."""
    letter = st.segmented_control("Picture", list(LETTERS), default="A", key=key, bind="query-params", required=True)
    return LETTERS.index(letter or "A")


def verdict(wish: Wish, drawn: Drawing) -> str:
    """What the pictures show, measured or judged, in a sentence."""
    images = torch.from_numpy(drawn.pictures)
    if wish.teller.name == "scenes":
        wanted = checks.request(wish.understood.known)
        seen = "; ".join(checks.said(image) for image in images)
        if wanted is None:
            return f"Measured: {seen}."
        right = sum(checks.shows(image, wanted) for image in images)
        return f"Measured: **{right} of {len(images)}** show all that the prompt says ({seen})."
    judge = load_judge("emoji")
    named = [best for (best,) in judge.name(images, "concept")]
    concept = concept_of(wish.understood)
    hits = f"**{named.count(concept)} of {len(named)}** are named “{plain(concept)}” by " if concept else "Named by "
    return f"{hits}a judge, a second network that learned from artists' pictures alone: {plain(', '.join(named))}."


@fragment
def recall(wish: Wish, drawn: Drawing) -> None:
    """The nearest pictures that the model learned from."""
    opened = st.expander("Recall or imagination?", icon=":material/search:", key="guide_recall", on_change="rerun")
    if not opened.open:
        return
    with opened:
        nearest, names, distances = nearest_drawn(torch.from_numpy(drawn.pictures))
        heads = [f"picture {letter}" for letter in LETTERS[: len(names)]]
        rows = [
            Row("Drawn by the model", as_shown(drawn.pictures), [], "Pictures of the prompt"),
            Row("The nearest that an artist drew", as_shown(nearest), [], "The nearest pictures of the artists"),
        ]
        with st.container(width=720):
            sheet(rows, heads, title="What was drawn, and the nearest of what was learned from")
        said = "; ".join(f"{plain(name)} ({distance:.2f})" for name, distance in zip(names, distances, strict=True))
        st.caption(
            f"By the root mean square over the pixels, from −1 to 1, mirrored or not: {said}. Two artists' drawings of "
            f"one thing are {artists_apart():.2f} apart, in the median."
        )


def card(wish: Wish) -> None:
    """How the model was made, and how often it is right."""
    from explorer.zoo import model_card

    about = model_card(wish.teller.name)
    with st.expander(f"The model: {wish.teller.label}", icon=":material/description:"):
        st.markdown(f"{wish.teller.about} {about['data'][:1].upper()}{about['data'][1:]}.")
        st.markdown(f"Terms of the data: {about['terms']}.")
        training = about["training"]
        st.markdown(
            f"{about['parameters']:,} weights, {training['steps']:,} steps of {training['batch_size']} pictures, the "
            f"last {training['cooled_steps']:,} at a rate that falls to 0, {training['seconds'] / 3600:.1f} hours on "
            f"{training['machine']}: `{about['command']}`."
        )
        if figures := about["metrics"]:
            st.markdown("\n".join(table(figures)))
            rate, weakest = min(
                (rate, f"{name} ({kind})")
                for kind, found in figures.items()
                if isinstance(found, dict)
                for name, rate in found.get("drawn", {}).items()
            )
            st.caption(f"At guidance scale {figures['guidance_scale']:g} and 20 steps. Weakest: {weakest}, {rate:.0%}.")
        st.download_button(
            "Weights as safetensors",
            lambda: read_weights(wish.teller.name),
            f"diffusion-explorer-{wish.teller.name}.safetensors",
            "application/octet-stream",
            on_click="ignore",
            icon=":material/save:",
            key="guide_save",
        )


def table(figures: dict[str, Any]) -> list[str]:
    """The measured rates of a card as a Markdown table: for each kind of prompt, how often each thing is right, and
    beside it what the judge finds on real pictures of the same prompts."""
    lines = ["| prompts | of | right | on real pictures |", "|:--|--:|:--|:--|"]
    for kind, found in figures.items():
        if isinstance(found, dict) and kind not in ("looks", "sums"):
            own = {name: rate for name, rate in found.items() if isinstance(rate, float) and name in RATES}
            cells = [
                ", ".join(f"{name} {rate:.0%}" for name, rate in rates.items())
                for rates in (found.get("drawn", own), found.get("real", {}))
            ]
            lines.append(f"| {kind} | {found['prompts']} | {cells[0]} | {cells[1]} |")
    return lines
