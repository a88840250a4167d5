"""The image models that every page offers: the shipped ones, and the shelf of what this visitor trained."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from explorer.jobs import Store
from explorer.lessons.trainings.plan import OWN
from explorer.lessons.trainings.record import is_text
from explorer.ui import work
from explorer.ui.kept import choose_kept, gone
from explorer.ui.markdown import plain

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset
    from explorer.denoiser import Denoiser
    from explorer.networks.unet import UNet

SHIPPED = {"digits-8": "Digits 8 x 8", "mnist-28": "MNIST 28 x 28", "emoji": "Emoji 32 x 32"}
MOST_KEPT = 8
SHELF_BYTES = 48 * 2**20
SHELVES_BYTES = 256 * 2**20  # of all visitors


@dataclass(frozen=True)
class ImageModel:
    """A frozen denoiser of images and what is known about it; `key` names it, `label` is what people read.

    `dataset` is the name of its `ImageDataset`, `classes` are the names of its classes (none: unconditional),
    `about` what its model card or its training says. Of one that is `told_in_words` the classes are prompts.
    """

    key: str
    label: str
    denoiser: "Denoiser"
    dataset: str
    classes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    told_in_words: bool = False

    @property
    def shipped(self) -> bool:
        """Whether it came with the app, so that all sessions share it and what is computed from it."""
        return self.key in SHIPPED


@st.cache_resource(show_spinner=False)
def _store() -> Store[str, ImageModel]:
    return Store(_bytes, MOST_KEPT, SHELF_BYTES, SHELVES_BYTES)


def models() -> dict[str, ImageModel]:
    """The image models of this visitor by key, the newest last: in every tab, and after a reload."""
    return models_of(work.visitor())


def models_of(visitor: str) -> dict[str, ImageModel]:
    """Those of any visitor."""
    return _store().all(visitor)


def keep(model: ImageModel, visitor: str = "") -> ImageModel:
    """Put a model on the shelf of this visitor, or of another, under a label that no other has; returns it so.

    The oldest goes when there are too many.
    """
    visitor = visitor or work.visitor()
    _store().drop(visitor, model.key)
    labels = [*SHIPPED.values(), *(other.label for other in models_of(visitor).values())]
    model = replace(model, label=unlike(model.label, labels))
    _store().put(visitor, model.key, model)
    return model


def unlike(name: str, taken: Iterable[str]) -> str:
    """A name that is none of those that are taken: itself, or with a number."""
    taken = set(taken)
    return next(new for number in count(1) if (new := f"{name} ({number})" if number > 1 else name) not in taken)


def _bytes(model: ImageModel) -> int:
    return sum(weights.nbytes for weights in model.denoiser.parameters())


def shipped(name: str) -> ImageModel:
    """A shipped model, shared by all sessions; classes of one that is told in words are prompts."""
    from explorer.lessons.told import PROMPTS, shipped_denoiser
    from explorer.zoo import model_card

    classes = PROMPTS.get(name, tuple("0123456789"))
    return ImageModel(
        name, SHIPPED[name], shipped_denoiser(name), name, classes, model_card(name), told_in_words=name in PROMPTS
    )


def choose_model(key: str, default: str = "mnist-28", label: str = "Model") -> ImageModel:
    """A select box over the shipped models and the shelf, kept in the URL.

    What is not there means the default, and a sentence says so.
    """
    kept = models()
    labels = SHIPPED | {model.key: model.label for model in kept.values()}
    chosen = choose_kept(label, labels, default, key=key)
    if gone(key):
        st.info(
            "The model of this link is not on your shelf (it may be another visitor's or has expired): "
            f"{plain(labels[chosen])} is shown.",
            icon=":material/bookmark_remove:",
        )
    return shipped(chosen) if chosen in SHIPPED else kept[chosen]


def dataset_of(model: ImageModel) -> "ImageDataset | None":
    """The images that a model was trained on; None where they are not here, or are no longer the same ones."""
    from explorer.data.digest import digest
    from explorer.ui.datasets import find_dataset

    dataset = find_dataset(model.dataset)
    if dataset is None or dataset.shape != model.denoiser.shape:
        return None
    if model.dataset == OWN and digest(dataset.images.numpy()) != model.about.get("plan", {}).get("digest"):
        return None
    return dataset


def held_out_of(model: ImageModel) -> "ImageDataset | None":
    """Real images like those that a model was trained on, and which no training sees; None where there are none here.

    Of MNIST they are always the 200 that come with the app, so that a link shows the same image on every machine.
    """
    from explorer.data.emoji import emoji
    from explorer.data.mnist import shipped_mnist

    if model.dataset == "mnist-28" and model.denoiser.shape == (1, 28, 28):
        return shipped_mnist("held-out")
    if model.told_in_words:
        return emoji().held_out(model.classes)
    dataset = dataset_of(model)
    return dataset.held_out if dataset else None


def adopt(denoiser: "Denoiser", about: Mapping[str, Any]) -> ImageModel:
    """Put a model that was loaded from a file on the shelf; `about` is what the file says of it."""
    from explorer.data.images import DATASETS

    classes = cast("int | None", cast("UNet", denoiser.network).size["classes"]) or 0
    names = about.get("classes")
    if not (isinstance(names, list) and len(names) == classes and all(map(is_text, names))):
        names = [str(number) for number in range(classes)]
    label, dataset, digest = (about.get(name) for name in ("name", "dataset", "digest"))
    label = label[:60] if is_text(label) and label.strip() else "Loaded"
    if not isinstance(dataset, str) or dataset not in DATASETS:
        dataset = OWN
    known = {"plan": {"digest": digest}} if is_text(digest) else {}
    model = ImageModel(secrets.token_hex(8), label, denoiser.requires_grad_(False), dataset, tuple(names), known)
    return keep(model)
