"""A picture edited: a part painted over and drawn anew, or a picture taken as the start."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.data.uploads import ENDINGS, centred_square, read_image
from explorer.lessons.guided_generation.edits import last_times
from explorer.lessons.guided_generation.pictures import Drawing
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui import made
from explorer.ui.controls import choice, sentence
from explorer.ui.guided_generation.asking import Wish, understood_by
from explorer.ui.guided_generation.computed import model, repainted, started
from explorer.ui.guided_generation.drawing import LETTERS, choose_picture, minus
from explorer.ui.markdown import plain
from explorer.ui.pad import draw_image
from explorer.ui.sheet import Row, data_url, sheet

KINDS = {"paint": "Paint over a part", "start": "Start from a picture"}
STARTS = {"first": "The first picture above", "drawing": "Your drawing", "upload": "An upload"}
WORDS = {"emoji": "a red heart", "scenes": "a yellow star"}


def show(wish: Wish, drawn: Drawing) -> None:
    """What to do with a picture, with words of its own."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = choice("Edit", KINDS, "paint", key="guide_edit", width=210)
        typed = st.text_input(
            "Prompt of the edit",
            WORDS[wish.teller.name],
            key=f"guide_{wish.teller.name}_edit",
            bind="query-params",
            max_chars=300,
            width=300,
        )
    understood = understood_by(wish.teller, typed)
    for note in understood.notes:
        st.caption(f":material/info: {plain(note)}")
    asked = Wish(wish.teller, replace(wish.asked, prompt=understood.text), understood)
    (paint if kind == "paint" else start)(asked, drawn)


def paint(wish: Wish, drawn: Drawing) -> None:
    """Inpainting of one of the pictures."""
    picture = drawn.pictures[choose_picture("guide_paint_at")]
    left, right = st.columns([1, 1.6], gap="large")
    with left, st.container(width=340):
        painted = draw_image(key="guide_mask", size=picture.shape[-1], backdrop=data_url(as_shown(picture[None])))
    mask = None if painted is None else (painted > -0.9).astype(np.float32)
    with right:
        if mask is None or not mask.any():
            st.info(
                "Nothing is painted over, so nothing is drawn anew: paint on the picture, with the mouse, a finger, or "
                "the arrow keys and space.",
                icon=":material/brush:",
            )
            return
        if mask.all():
            st.caption(":material/info: All of it is painted over: that is a new picture, of which nothing is kept.")
        show_pictures("Painted anew", lambda: repainted(wish.teller.name, wish.asked, picture, mask))
        st.caption(
            f"{mask.mean():.0%} of the pixels are drawn anew. At every step the guess of x₀ is put back to the picture "
            "where nothing is painted, so that the rest has to fit."
        )


def start(wish: Wish, drawn: Drawing) -> None:
    """Image to image."""
    with st.container(horizontal=True):
        source = choice("Start from", STARTS, "first", key="guide_start", width=220)
        share = st.slider(
            "Noise",
            10,
            100,
            75,
            5,
            format="%d%%",
            key="guide_noise",
            bind="query-params",
            width=260,
            help="The share of the walk that is walked, from that much noise: at 100 % nothing of the picture is kept.",
        )
    left, right = st.columns([1, 1.6], gap="large")
    with left, st.container(width=340):
        picture = drawn.pictures[0] if source == "first" else sketch(drawn) if source == "drawing" else upload(drawn)
    with right:
        if picture is None:
            st.info("There is no picture to start from yet.", icon=":material/image:")
            return
        show_pictures(
            f"The last {share} % of the steps",
            lambda: started(wish.teller.name, wish.asked, picture, share / 100),
            picture,
        )
        schedule = model(wish.teller.name).schedule
        first = last_times(model(wish.teller.name), wish.asked.steps, share / 100)[0]
        noise = float(schedule.sigma(first)) / math.hypot(float(schedule.alpha(first)), float(schedule.sigma(first)))
        st.caption(
            f"The walk begins at log-SNR {minus(float(schedule.log_snr(first)))}, where {noise**2:.0%} of the variance "
            "of xₜ is noise for a picture of unit variance."
        )


def sketch(drawn: Drawing) -> np.ndarray | None:
    """Dark ink on white, in the three colours of a picture."""
    ink = draw_image(key="guide_sketch", size=drawn.pictures.shape[-1])
    return None if ink is None else np.repeat(-ink[None], 3, 0)


def upload(drawn: Drawing) -> np.ndarray | None:
    """The middle square of an uploaded picture, as small as the model's own."""

    def take() -> None:
        st.session_state.pop("guide_upload_problem", None)
        if (file := st.session_state["guide_upload"]) is None:
            return
        try:
            made.remember("guide_picture", small(read_image(file.getvalue(), colours=True), drawn.pictures.shape[-1]))
        except ValueError as error:
            st.session_state["guide_upload_problem"] = sentence(error)

    st.file_uploader("A picture", ENDINGS, key="guide_upload", max_upload_size=10, on_change=take)
    if problem := st.session_state.get("guide_upload_problem"):
        st.error(plain(problem), icon=":material/image_not_supported:")
    return made.recall("guide_picture")


def small(image: np.ndarray, side: int) -> np.ndarray:
    """The middle square of (height, width, 3) in [0, 1] as (3, side, side) in [-1, 1]."""
    return np.stack([centred_square(channel, side) for channel in np.moveaxis(image, -1, 0)]) * 2 - 1


def show_pictures(title: str, draw: Callable[[], np.ndarray], before: np.ndarray | None = None) -> None:
    """Pictures in a row, behind the one that they came from."""
    try:
        images = draw()
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")
        return
    heads = list(LETTERS[: len(images)])
    if before is not None:
        images, heads = np.concatenate([before[None], images]), ["start", *heads]
    sheet([Row(title, as_shown(images), [], title)], heads, title=title)
