"""The image models that every page offers: the shipped ones, and the shelf of what this session trained."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser

SHIPPED = {"digits-8": "Digits 8 x 8", "mnist-28": "MNIST 28 x 28"}
MOST_KEPT = 8


@dataclass(frozen=True)
class ImageModel:
    """A frozen denoiser of images and what is known about it; `key` names it, `label` is what people read.

    `dataset` is the name of its `ImageDataset`, `classes` are the names of its classes (none: unconditional),
    `about` what its model card or its training says.
    """

    key: str
    label: str
    denoiser: "Denoiser"
    dataset: str
    classes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def shipped(self) -> bool:
        """Whether it came with the app, so that all sessions share it and what is computed from it."""
        return self.key in SHIPPED


def shelf() -> dict[str, ImageModel]:
    """The image models of this session by key, the newest last."""
    return st.session_state.setdefault("shelf_images", {})


def keep(model: ImageModel) -> None:
    """Put a model on the shelf; the oldest goes when there are too many."""
    models = shelf()
    models.pop(model.key, None)
    models[model.key] = model
    while len(models) > MOST_KEPT:
        del models[next(iter(models))]


def shipped(name: str) -> ImageModel:
    """A shipped model, shared by all sessions."""
    import explorer as ex
    from explorer.zoo import model_card

    return ImageModel(name, SHIPPED[name], ex.load_pretrained(name), name, tuple("0123456789"), model_card(name))


def choose_model(key: str, default: str = "mnist-28", label: str = "Model") -> ImageModel:
    """A select box over the shipped models and the shelf, kept in the URL; a key that is gone means the default."""
    labels = SHIPPED | {model.key: model.label for model in shelf().values()}
    names = list(labels)
    chosen = st.selectbox(
        label, names, names.index(default), format_func=labels.__getitem__, key=key, bind="query-params"
    )
    return shipped(chosen) if chosen in SHIPPED else shelf()[chosen]
