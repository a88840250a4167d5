"""Where each word is looked at: the weights of cross-attention, drawn over the pictures."""

import numpy as np
import streamlit as st

from explorer.lessons.guided_generation.pictures import Drawing, Looks
from explorer.lessons.views import as_shown
from explorer.ui.controls import choice
from explorer.ui.guided_generation.asking import Wish
from explorer.ui.guided_generation.computed import looks
from explorer.ui.guided_generation.drawing import choose_picture
from explorer.ui.sheet import Row, sheet
from explorer.zoo import model_card

THIRDS = ("First third: layout", "Second third: shapes", "Last third: detail")
PARTS = {"scenes": "decoder 3", "emoji": "decoder 2"}  # that to open with: where shapes are pointed at, and the finest
HEAT = np.array([1.0, 0.35, -0.6], np.float32)  # orange, in [-1, 1]


def show(wish: Wish, drawn: Drawing) -> None:
    """One picture, its words over it, from noise to the end."""
    if wish.understood.empty:
        st.info("There is no word to look at: give the model a prompt.", icon=":material/edit:")
        return
    seen = looks(wish.teller.name, wish.asked)
    with st.container(horizontal=True):
        picture = choose_picture("guide_look_at")
        labels = {part: "{0}: {1} x {1} places".format(part, maps.shape[-1]) for part, maps in seen.maps.items()}
        part = choice(
            "Seen from", labels, PARTS[wish.teller.name], key=f"guide_{wish.teller.name}_look_from", width=230
        )
    maps = seen.maps[part][:, picture]
    top = float(np.quantile(maps[:, 1:], 0.999))
    rows = []
    for title, steps in zip(THIRDS, np.array_split(maps, 3), strict=True):
        if not len(steps):
            continue
        mean = steps.mean(0)
        over = [drawn.pictures[picture], *(overlaid(drawn.pictures[picture], one / top) for one in mean)]
        shares = ["", *(f"{share:.0%}" for share in mean.mean((1, 2)))]
        rows.append(Row(title, as_shown(np.stack(over)), shares, f"{title}: where each word is looked at"))
    sheet(rows, ["picture", *words_of(seen)], title="Where each word is looked at")
    st.caption(
        "Orange: how much of its attention a place gives to the word, the mean over heads and the steps of "
        "that third; all words on one scale. Below each, its share over the whole picture: they add up to "
        "100 %. The *start* of every text belongs to no word, and places that need none look there."
    )
    if proof := model_card(wish.teller.name)["metrics"].get("looks"):
        found = proof["parts"][part]
        st.caption(
            f"Measured on {proof['prompts']} scenes of two things, in this part, in the first two thirds of the steps: "
            f"{found['colour']:.0%} of the words for colours are looked at more on their own thing than on the other, "
            f"in the median {found['colour times']:,.1f} times as much; of the words for shapes {found['shape']:.0%}, "
            f"{found['shape times']:,.1f} times. Compared with all places that are not their thing: "
            f"{found['colour here']:.0%} and {found['shape here']:.0%}, {found['colour here times']:,.1f} and "
            f"{found['shape here times']:,.1f} times."
        )


def words_of(seen: Looks) -> list[str]:
    return [word.replace("##s", "…s") for word in seen.words]


def overlaid(picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A picture (3, height, width) in grey, coloured where the weights (side, side) are: 0 not at all, 1 fully."""
    times = picture.shape[-1] // weights.shape[-1]
    heat = np.kron(weights, np.ones((times, times), np.float32)).clip(0, 1)
    grey = 0.5 + 0.45 * picture.mean(0)
    return grey + heat * (HEAT[:, None, None] - grey)
