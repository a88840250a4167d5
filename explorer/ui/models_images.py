"""The image models that every page offers: the shipped ones, and the shelf of what this session trained.

The trainings themselves, with their histories, are kept beside the shelf.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import streamlit as st

from explorer.jobs import Job
from explorer.lab_images import OWN, Plan, Training, is_text
from explorer.ui import work

if TYPE_CHECKING:
    from explorer.data.images import ImageDataset
    from explorer.denoiser import Denoiser
    from explorer.networks.unet import UNet

SHIPPED = {"digits-8": "Digits 8 x 8", "mnist-28": "MNIST 28 x 28"}
MOST_KEPT = 8
SHELF_BYTES = 48 * 2**20
TASK = "train_images"
MOST_TRAININGS = 6
TRAININGS_BYTES = 24 * 2**20


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
    """Put a model on the shelf, under a label that no other has; the oldest goes when there are too many."""
    models = shelf()
    models.pop(model.key, None)
    taken = {*SHIPPED.values(), *(other.label for other in models.values())}
    label, number = model.label, 2
    while label in taken:
        label, number = f"{model.label} ({number})", number + 1
    models[model.key] = replace(model, label=label)
    while len(models) > MOST_KEPT or (len(models) > 1 and sum(map(_bytes, models.values())) > SHELF_BYTES):
        del models[next(iter(models))]


def _bytes(model: ImageModel) -> int:
    return sum(weights.nbytes for weights in model.denoiser.parameters())


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


def dataset_of(model: ImageModel) -> "ImageDataset | None":
    """The images that a model was trained on; None where they are not here, or are no longer the same ones."""
    from explorer.lab2d import digest
    from explorer.ui.datasets import find_dataset

    dataset = find_dataset(model.dataset)
    if dataset is None or dataset.shape != model.denoiser.shape:
        return None
    if model.dataset == OWN and digest(dataset.images.numpy()) != model.about.get("plan", {}).get("digest"):
        return None
    return dataset


# Trainings


def trainings() -> dict[str, Training]:
    """The trainings of this session by run, the newest last; those of other tabs are taken in by `absorb`."""
    return st.session_state.setdefault("trainings", {})


def remember(training: Training) -> None:
    """Put a training with the others; the oldest goes, or loses its weights, when they take too much.

    What a paused one has learned so far goes on the shelf then.
    """
    runs = trainings()
    runs.pop(training.run, None)
    runs[training.run] = training
    while len(runs) > MOST_TRAININGS:
        _drop_weights(runs.pop(next(iter(runs))))
    for drop in (_drop_moments, _drop_weights):
        for old in list(runs.values())[:-1]:
            if sum(other.bytes for other in runs.values()) > TRAININGS_BYTES:
                drop(old)


def _drop_moments(training: Training) -> None:
    for moment in training.moments.values():
        moment.weights = None


def _drop_weights(training: Training) -> None:
    if training.state and training.run not in shelf():
        put_on_shelf(training, max(training.kept_steps), training.name)
    training.state = None
    _drop_moments(training)


def adopt_history(training: Training) -> None:
    """Put a training that was loaded from a file with the others."""
    training.run = secrets.token_hex(8)  # it must not meet the one that it was saved from
    remember(training)


def jobs() -> list[Job]:
    """This visitor's trainings, in this tab or another, or from before a reload; newest last."""
    return work.find_jobs(lambda job: job.task == TASK and job.params["run"] not in _forgotten())


def job_of(run: str) -> Job | None:
    """The newest job of a training."""
    return next((job for job in reversed(jobs()) if job.params["run"] == run), None)


def under_way() -> list[Job]:
    """Those whose end this session has not taken in yet."""
    seen = st.session_state.setdefault("trainings_absorbed", set())
    return [job for job in jobs() if job.id not in seen]


def absorb() -> list[Job]:
    """Take what this visitor's trainings have sent so far; what is done goes on the shelf. Returns `under_way`."""
    for job in under_way():
        finished = job.finished  # asked before the events are read, so that none can come after
        run = job.params["run"]
        training = trainings().get(run)
        if training is None:
            training = Training(run, job.params["name"], Plan(**job.params["plan"]))
            remember(training)
        training.plan = Plan(**job.params["plan"])
        training.take(job.latest)
        if finished:
            st.session_state["trainings_absorbed"].add(job.id)
            complete = job.state == "done" or training.done >= 1  # one may be paused while it is being measured
            if complete and training.kept_steps:
                put_on_shelf(training, max(training.kept_steps), training.name)
            elif run in st.session_state.get("trainings_ended", set()):
                end(training)
    return under_way()


def start(plan: Plan, name: str, dataset: "ImageDataset", page: str) -> str:
    """Start a training for the page of that path; returns its run. Raises `JobRefused` with a sentence."""
    run = secrets.token_hex(8)
    _submit(run, name, plan, {"page": page}, _arrays(plan, dataset), dataset.classes)
    return run


def resume(training: Training, plan: Plan, dataset: "ImageDataset | None", page: str) -> str:
    """Go on where a training stands, to the end of `plan`, as `start` does. Raises `JobRefused` with a sentence."""
    assert training.state
    if (job := job_of(training.run)) and not job.finished:  # another tab was quicker
        return training.run
    about, vectors = training.state
    arrays = dict(vectors) | (_arrays(plan, dataset) if dataset else {})
    _submit(training.run, training.name, plan, {**about, "page": page}, arrays, training.classes)
    training.moments = {step: moment for step, moment in training.moments.items() if step <= about["step"]}
    training.result = {}  # of the part that ended; what comes next has its own
    return training.run


def _submit(
    run: str,
    name: str,
    plan: Plan,
    about: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    classes: tuple[str, ...],
) -> None:
    params = {"run": run, "name": name, "plan": asdict(plan), "classes": classes, **about}
    work.manager().submit(work.visitor(), TASK, params, arrays)


def _arrays(plan: Plan, dataset: "ImageDataset") -> dict[str, np.ndarray]:
    """What the worker cannot load by itself: the person's own images."""
    if plan.dataset != OWN:
        return {}
    arrays = {"images": ((dataset.images + 1) * 127.5).round().byte().numpy()}
    return arrays | ({} if dataset.labels is None else {"labels": dataset.labels.numpy()})


def put_on_shelf(training: Training, step: int, label: str, key: str | None = None) -> None:
    """The averaged weights of a moment of a training become a model of the shelf.

    Without a `key` it is that of the run, which has one model: a later one takes its place.
    """
    newest = step == max(training.kept_steps)
    about = {"plan": asdict(training.plan), "step": step, "epoch": training.epoch_of(step)}
    keep(
        ImageModel(
            key=key or training.run,
            label=label,
            denoiser=training.denoiser_at(step),
            dataset=training.plan.dataset,
            classes=training.classes,
            about=about | (training.result if newest else {}),
        )
    )


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
    keep(model)
    return shelf()[model.key]


def end(training: Training) -> None:
    """A training that was stopped for good: it goes on the shelf, and what resuming needs is dropped."""
    st.session_state.setdefault("trainings_ended", set()).add(training.run)
    job = job_of(training.run)
    if job is not None and not job.finished:
        job.stop()  # `absorb` ends it when it has handed over what it has
        return
    if training.kept_steps:
        put_on_shelf(training, max(training.kept_steps), training.name)
    training.state = None


def forget(training: Training) -> None:
    """Drop a training and its jobs; what it has on the shelf stays there."""
    trainings().pop(training.run, None)
    for job in jobs():
        if job.params["run"] == training.run:
            job.cancel()
            work.manager().forget(work.visitor(), job.id)
    _forgotten().add(training.run)


def _forgotten() -> set[str]:
    return st.session_state.setdefault("trainings_forgotten", set())
