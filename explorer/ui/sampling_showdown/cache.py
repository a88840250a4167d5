"""What was computed before: once a process for a shipped model, once a session for one of the shelf."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.walks import Walk
from explorer.ui.shelf import SHIPPED, ImageModel, shipped
from explorer.ui.turns import in_turn

if TYPE_CHECKING:
    import explorer as ex
    from explorer.networks.classifier import Classifier

Kept = TypeVar("Kept")


@st.cache_resource(max_entries=24, show_spinner=False)
@in_turn
def shared_walk(key: tuple[Any, ...], _compute: Callable[[], Walk]) -> Walk:
    return _compute()


@st.cache_resource(max_entries=12, scope="session", show_spinner=False)
@in_turn
def own_walk(key: tuple[Any, ...], _compute: Callable[[], Walk]) -> Walk:
    return _compute()


@st.cache_resource(max_entries=500, show_spinner=False)
@in_turn
def shared(key: tuple[Any, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(max_entries=100, scope="session", show_spinner=False)
@in_turn
def own(key: tuple[Any, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


def remembered(model: ImageModel, about: tuple[Any, ...], compute: Callable[[], Kept]) -> Kept:
    """What `compute` returns: once a process for a shipped model, once a session for one of the shelf."""
    keep = shared if model.shipped else own
    return keep((*identity(model), repr(about)), compute)


def identity(model: ImageModel) -> tuple[Any, ...]:
    """What tells this model from any other: a training that goes on keeps its key."""
    return model.key, model.about.get("step")


def judge_of(model: ImageModel) -> "Classifier | None":
    """The classifier of the data that a model was trained on, where there is one and the model fits it."""
    from explorer.zoo import load_classifier

    if model.dataset not in SHIPPED or model.told_in_words:
        return None
    judged = shipped(model.dataset)  # a file of weights may say that it was trained on anything
    fits = model.denoiser.shape == judged.denoiser.shape and len(model.classes) <= len(judged.classes)
    return load_classifier(model.dataset) if fits else None


@st.cache_resource(ttl=60, show_spinner=False)
def call_seconds(model: tuple[Any, ...], n: int, _denoiser: "ex.Denoiser") -> float:
    """Seconds that one network call on n images takes; measured anew every minute, as the load of a machine changes."""
    return showdown.call_seconds(_denoiser, n)
