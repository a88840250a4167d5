"""What was drawn and measured before: once a process, for the models are shipped and all sessions share them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.lessons.guided_generation.pictures import Asked
from explorer.ui.turns import in_turn, turn

if TYPE_CHECKING:
    import explorer as ex
    from explorer.lessons.guided_generation.mixture import Bent
    from explorer.lessons.guided_generation.pictures import Anatomy, Drawing, Looks

DRAWING = "Drawing…"
# A prompt is anybody's, so what is kept is bounded: a drawing of 50 steps takes 2.5 MB.


def model(name: str) -> "ex.Denoiser":
    """The shipped model of that name."""
    import explorer as ex

    return ex.load_pretrained(name)


@st.cache_resource(max_entries=32, show_spinner=False)
@in_turn
def drawing(name: str, asked: Asked) -> "Drawing":
    from explorer.lessons.guided_generation import pictures

    return pictures.draw(model(name), asked)


@st.cache_resource(max_entries=96, show_spinner=False)
@in_turn
def ends(name: str, asked: Asked) -> np.ndarray:
    """The pictures of a drawing alone, (n, channels, height, width)."""
    import torch

    import explorer as ex
    from explorer.metrics import finite

    return finite(ex.sample(model(name), **asked.options(), keep="last").samples).clamp(-1, 1).to(torch.float32).numpy()


@st.cache_data(max_entries=512, show_spinner=False)
def said(name: str, asked: Asked, known: tuple[str, ...], _say: Callable[[], Any]) -> Any:
    """What `_say` finds out about the pictures of a drawing, whose prompt has the pieces `known`."""
    return _say()


@st.cache_resource(max_entries=64, show_spinner=False)
def anatomy(name: str, asked: Asked, step: int) -> "Anatomy":
    from explorer.lessons.guided_generation import pictures

    drawn = drawing(name, asked)
    with turn():
        return pictures.anatomy(model(name), asked, drawn, step)


@st.cache_resource(max_entries=16, show_spinner=False)
def looks(name: str, asked: Asked) -> "Looks":
    from explorer.lessons.guided_generation import pictures

    drawn = drawing(name, asked)
    with turn():
        return pictures.looks(model(name), asked, drawn)


@st.cache_resource(max_entries=16, show_spinner=False)
@in_turn
def bent(guidance_scale: float) -> "tuple[Bent, np.ndarray]":
    """Paths of the labelled mixture, and the guided arrows at each of their times."""
    from explorer.lessons.guided_generation import mixture
    from explorer.lessons.views import EXTENT

    paths = mixture.bent(guidance_scale)
    return paths, mixture.flow(paths.t, guidance_scale, EXTENT)


@st.cache_resource(max_entries=48, show_spinner=DRAWING)
@in_turn
def between(name: str, asked: Asked, other: str, count: int) -> np.ndarray:
    from explorer.lessons.guided_generation import pictures

    return pictures.between(model(name), asked.prompt, other, count, asked)


@st.cache_resource(max_entries=48, show_spinner=DRAWING)
@in_turn
def swap(name: str, asked: Asked, other: str, kept: float) -> tuple[np.ndarray, np.ndarray]:
    from explorer.lessons.guided_generation import arithmetic

    return arithmetic.swap(model(name), asked, other, kept)


@st.cache_resource(max_entries=48, show_spinner=DRAWING)
@in_turn
def plus_minus(name: str, asked: Asked, plus: str, minus: str, and_plus: str) -> np.ndarray:
    from explorer.lessons.guided_generation import arithmetic

    return arithmetic.plus_minus(model(name), plus, minus, and_plus, asked)


@st.cache_resource(max_entries=64, show_spinner=DRAWING)
@in_turn
def climbed(asked: Asked, strength: float) -> np.ndarray:
    from explorer.lessons.guided_generation import fits

    return fits.climbed(model("emoji"), asked, strength)


@st.cache_resource(max_entries=32, show_spinner=DRAWING)
@in_turn
def repainted(name: str, asked: Asked, picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import torch

    from explorer.lessons.guided_generation import edits

    return edits.repaint(model(name), asked, torch.from_numpy(picture), torch.from_numpy(mask))


@st.cache_resource(max_entries=32, show_spinner=DRAWING)
@in_turn
def started(name: str, asked: Asked, picture: np.ndarray, share: float) -> np.ndarray:
    import torch

    from explorer.lessons.guided_generation import edits

    return edits.from_picture(model(name), asked, torch.from_numpy(picture), share)
