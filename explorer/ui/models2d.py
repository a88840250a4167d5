"""The Geometry lab's data and models: where points come from, and which denoiser answers for some settings."""

import hashlib
import secrets
import statistics
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.jobs import Job
from explorer.ui import work

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser
    from explorer.views import View2D

TRAINING_POINTS, FRESH_POINTS, TARGET_POINTS = 20_000, 2000, 1200
MOST_KEPT = 8


@dataclass(frozen=True)
class Source:
    """A distribution: a built-in one, a typed word, or points that the person gave (by their digest)."""

    name: str
    text: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Recipe:
    """What a model is trained on and how it is read; everything that makes two models different."""

    source: Source
    schedule: str
    prediction: str


@dataclass(frozen=True)
class Settings:
    """One side of the stage."""

    recipe: Recipe
    sampler: str
    steps: int
    eta: float | None
    exact: bool
    examples: int


@dataclass
class Trained:
    """A model of this session: averaged weights at moments of its training, and what resuming needs.

    `run` names the training, which goes on under that name when it is resumed; "" for a file.
    """

    size: dict[str, int]
    run: str = ""
    seed: int = 0
    snapshots: dict[int, tuple[dict[str, Any], np.ndarray]] = field(default_factory=dict)
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    state: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
    buffers: dict[str, Any] | None = None


@dataclass(frozen=True)
class Run:
    """A view and what was measured on it; `nearest` is the median distance to the exact model's examples."""

    view: "View2D"
    distance: float
    floor: float
    nearest: float | None


def digest(points: np.ndarray) -> str:
    """A short name for an array's content."""
    return hashlib.blake2b(np.ascontiguousarray(points).tobytes(), digest_size=8).hexdigest()


@st.cache_data(max_entries=32, show_spinner=False)
def points_of(source: Source, _given: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Training points (20,000, 2), and fresh ones (2,000, 2) that no model has seen.

    `_given` is the drawing (m, 2) or grey image (height, width) whose digest the source carries.
    """
    return _draw(source, _given, TRAINING_POINTS, 0), _draw(source, _given, FRESH_POINTS, 1)


def _draw(source: Source, given: np.ndarray | None, n: int, seed: int) -> np.ndarray:
    import explorer as ex
    from explorer.data.toy2d import points_from_drawing, points_from_image

    if given is not None:
        return (points_from_drawing if source.name == "drawing" else points_from_image)(given, n, seed).numpy()
    options = {"text": source.text} if source.name == "word" else {}
    return ex.toy2d(source.name, n, seed, **options).numpy()


def shelf() -> dict[Recipe, Trained]:
    """The 2D models of this session, the newest last."""
    return st.session_state.setdefault("shelf_2d", {})


def keep(recipe: Recipe, model: Trained) -> None:
    """Put a model on the shelf, dropping the oldest when there are too many."""
    models = shelf()
    models.pop(recipe, None)
    models[recipe] = model
    while len(models) > MOST_KEPT:
        del models[next(iter(models))]


def shipped_name(recipe: Recipe) -> str | None:
    """The shipped model that fits, if one does."""
    from explorer.data.toy2d import DEFAULT_WORD
    from explorer.zoo import pretrained_names

    source = recipe.source
    if source.digest or (source.name == "word" and source.text != DEFAULT_WORD):
        return None
    name = f"toy2d-{source.name}-{recipe.schedule}-{recipe.prediction}"
    return name if name in pretrained_names() else None


def denoiser_of(recipe: Recipe, moment: int | None = None) -> "tuple[Denoiser, str] | None":
    """The learned model for a recipe and a name for its weights; None when nobody has trained one.

    A model trained in this session goes before a shipped one. `moment` is a step of its history.
    """
    from explorer.zoo import load_pretrained

    trained = shelf().get(recipe)
    if trained and trained.snapshots:
        step = moment if moment in trained.snapshots else max(trained.snapshots)
        vector = trained.snapshots[step][1]
        return rebuild(recipe, trained, vector), digest(vector) + recipe.schedule + recipe.prediction
    name = shipped_name(recipe)
    return (load_pretrained(name), name) if name else None


def rebuild(recipe: Recipe, trained: Trained, vector: np.ndarray) -> "Denoiser":
    """The denoiser with these weights."""
    import torch

    import explorer as ex
    from explorer.training import load_weights

    denoiser = ex.make_denoiser_2d(trained.seed, schedule=recipe.schedule, prediction=recipe.prediction, **trained.size)
    if trained.buffers:
        denoiser.network.load_state_dict(trained.buffers, strict=False)
    load_weights(denoiser, torch.tensor(vector))
    return denoiser


def adopt(recipe: Recipe, denoiser: "Denoiser", about: dict[str, Any]) -> None:
    """Put a model that was loaded from a file on the shelf; `about` is what the file says of it."""
    import torch

    forget(recipe)

    vector = torch.cat([parameter.detach().flatten() for parameter in denoiser.parameters()]).numpy()
    model = Trained(about["size"], buffers=dict(denoiser.network.named_buffers()))
    model.snapshots[0] = ({"step": 0, "seconds": 0.0, "distance": None}, vector)
    keep(recipe, model)


def exact_of(recipe: Recipe, examples: int, given: np.ndarray | None) -> "tuple[Denoiser, str]":
    """The ideal denoiser of the first `examples` training points, and a name for it."""
    import torch

    import explorer as ex

    points = points_of(recipe.source, given)[0][:examples]
    denoiser = ex.ideal_denoiser(torch.tensor(points), ex.make_schedule(recipe.schedule))
    return denoiser, f"exact {examples} {recipe.source} {recipe.schedule}"


@st.cache_resource(max_entries=12, ttl=900, show_spinner=False)
def run(
    _denoiser: "Denoiser",
    name: str,
    source: Source,
    sampler: str,
    steps: int,
    eta: float | None,
    n: int,
    seed: int,
    start: tuple[float, float] | None,
    examples: int | None,
    _given: np.ndarray | None,
) -> Run:
    """Sample, and measure; once a process for the same settings. The arrays are shared: do not write to them."""
    import torch

    import explorer as ex
    from explorer.views import view_2d

    training, fresh = (torch.tensor(points) for points in points_of(source, _given))
    view = view_2d(_denoiser, n, sampler, steps, seed, eta, start)
    samples = torch.tensor(view.samples).nan_to_num()
    nearest = None
    if examples is not None:
        nearest = float(torch.cdist(samples, training[:examples]).min(1).values.median())
    distance = ex.sliced_wasserstein(samples, fresh)
    return Run(view, distance, floor_of(source, _given), nearest)


@st.cache_data(max_entries=32, show_spinner=False)
def floor_of(source: Source, _given: np.ndarray | None) -> float:
    """What a perfect model would reach: the distance between two fresh sets, median over 5 pairs."""
    import torch

    import explorer as ex

    sets = [torch.tensor(_draw(source, _given, FRESH_POINTS, 1 + seed)) for seed in range(6)]
    return statistics.median(ex.sliced_wasserstein(*pair) for pair in pairwise(sets))


def jobs_for(recipe: Recipe) -> list[Job]:
    """This visitor's trainings of this recipe, in this tab or another, or from before a reload; newest last."""
    described = asdict(recipe)
    return work.find_jobs(lambda job: job.task == "train_2d" and job.params["recipe"] == described)


def job_for(recipe: Recipe) -> Job | None:
    """The newest of them."""
    return next(reversed(jobs_for(recipe)), None)


def forget(recipe: Recipe) -> None:
    """Take a model off the shelf, and drop the trainings that would put it back."""
    shelf().pop(recipe, None)
    for job in jobs_for(recipe):
        job.cancel()
        work.manager().forget(work.visitor(), job.id)


def start_training(
    recipe: Recipe, given: np.ndarray | None, config: dict[str, Any], size: dict[str, int], resume: bool
) -> None:
    """Submit a training job; what is on the shelf stays until the new run has weights.

    To resume is to train for `config["max_seconds"]` more. Raises `JobRefused` with a sentence.
    """
    training, fresh = points_of(recipe.source, given)
    params: dict[str, Any] = {
        "recipe": asdict(recipe),
        "run": secrets.token_hex(8),
        "schedule": recipe.schedule,
        "prediction": recipe.prediction,
        "seed": 0,
        "size": size,
        "config": config,
    }
    arrays = {"points": training, "fresh": fresh}
    trained = shelf().get(recipe)
    if resume and trained and trained.state:
        about, vectors = trained.state
        config = {**config, "max_seconds": about["seconds"] + config["max_seconds"]}
        params = {**params, **about, "run": trained.run, "size": trained.size, "config": config}
        arrays = {**arrays, **vectors}
        trained.snapshots = {step: kept for step, kept in trained.snapshots.items() if step <= about["step"]}
    work.manager().submit(work.visitor(), "train_2d", params, arrays)


def absorb(recipe: Recipe, job: Job) -> None:
    """Take what a job has sent so far onto the shelf."""
    latest = job.latest
    trained = shelf().get(recipe)
    if trained is None or trained.run != job.params["run"]:
        trained = Trained(job.params["size"], job.params["run"])
    for kind, event in latest.items():
        if kind.startswith("snapshot-"):
            trained.snapshots[event.data["step"]] = (event.data, event.arrays["averaged"])
    if "progress" in latest:
        curve = latest["progress"].arrays["curve"]
        before = trained.curve[trained.curve[:, 0] < curve[0, 0]] if len(curve) else trained.curve
        trained.curve = np.concatenate([before, curve])
    if "state" in latest:
        trained.state = (latest["state"].data, latest["state"].arrays)
    if trained.snapshots:
        keep(recipe, trained)
