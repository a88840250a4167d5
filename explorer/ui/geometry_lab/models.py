"""The 2D models of a visitor: what was trained or loaded, which denoiser answers, and the runs on the stage."""

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.jobs import Job, Store
from explorer.ui import lost, work
from explorer.ui.turns import in_turn, turn

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser
    from explorer.lessons.geometry_lab.runs import Recipe, Run, Settings

MOST_KEPT = 16
SHELF_BYTES = 40 * 2**20
SHELVES_BYTES = 200 * 2**20  # of all visitors
MOST_MOMENTS = 24
RUNS_KEPT = 4


@dataclass
class Trained:
    """A model of this visitor: averaged weights at moments of its training, and what resuming needs.

    `run` names the training, which goes on under that name when it is resumed; `config` is its last one. `learned`
    is what weights from a file were trained on, in words, where that is not what the page shows.
    """

    size: dict[str, int]
    run: str
    learned: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    snapshots: dict[int, tuple[dict[str, Any], np.ndarray]] = field(default_factory=dict)
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    state: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
    buffers: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """What it takes in memory, nearly."""
        vectors = [vector for _, vector in self.snapshots.values()] + list(self.state[1].values() if self.state else [])
        return sum(vector.nbytes for vector in vectors)


@st.cache_resource(show_spinner=False)
def _store() -> "Store[Recipe, Trained]":
    return Store(lambda model: model.bytes, MOST_KEPT, SHELF_BYTES, SHELVES_BYTES)


def shelf() -> "dict[Recipe, Trained]":
    """The 2D models of this visitor, the newest last: in every tab, and after a reload."""
    return shelf_of(work.visitor())


lost.count_models(lambda: len(shelf()))


def shelf_of(visitor: str) -> "dict[Recipe, Trained]":
    """Those of any visitor."""
    return _store().all(visitor)


def keep(recipe: "Recipe", model: Trained) -> None:
    """Put a model on the shelf, its history thinned; the oldest go when there are too many."""
    while len(model.snapshots) > MOST_MOMENTS:
        moments = sorted(model.snapshots)
        for step in moments[1:-1:2]:
            del model.snapshots[step]
    _store().drop(work.visitor(), recipe)
    _store().put(work.visitor(), recipe, model)


def moment_of(recipe: "Recipe", moment: int | None) -> int | None:
    """The step of the history to show: `moment` where it exists, else the newest; None with no history."""
    trained = shelf().get(recipe)
    if trained is None or not trained.snapshots:
        return None
    return moment if moment in trained.snapshots else max(trained.snapshots)


def learned(recipe: "Recipe", moment: int | None = None) -> "Denoiser | None":
    """The learned model for a recipe, None when there is none; one of this session goes before a shipped one."""
    import torch

    import explorer as ex
    from explorer.training import load_weights

    step = moment_of(recipe, moment)
    if step is None:
        return ex.load_pretrained(recipe.shipped) if recipe.shipped else None
    trained = shelf()[recipe]
    denoiser = ex.make_denoiser_2d(0, schedule=recipe.schedule, prediction=recipe.prediction, **trained.size)
    denoiser.network.load_state_dict(trained.buffers, strict=False)
    load_weights(denoiser, torch.tensor(trained.snapshots[step][1]))
    return denoiser


def adopt(recipe: "Recipe", denoiser: "Denoiser", about: dict[str, Any], learned: str) -> None:
    """Put a model that was loaded from a file on the shelf; `about` is what the file says of it, `learned` what it was
    trained on, where that is not the recipe's source."""
    import torch

    forget(recipe)
    vector = torch.cat([parameter.detach().flatten() for parameter in denoiser.parameters()]).numpy()
    model = Trained(about["size"], secrets.token_hex(8), learned, buffers=dict(denoiser.network.named_buffers()))
    model.snapshots[0] = ({"step": 0, "seconds": 0.0, "distance": None}, vector)
    keep(recipe, model)


def run_of(settings: "Settings", moment: int | None = None) -> "tuple[Run, Denoiser, bool]":
    """What the stage shows for some settings: the run, who answered, and whether that is a learned model.

    Where nothing is trained the exact model answers. Runs of shipped models and of built-in data are computed
    once a process; the others belong to the session, which keeps the last few.
    """
    from explorer.lessons.geometry_lab import runs

    recipe = settings.recipe
    network = None if settings.exact else learned(recipe, moment)
    denoiser = network or recipe.exact(settings.examples)
    step = None if settings.exact else moment_of(recipe, moment)
    if step is None and recipe.source.built_in:
        return _shared_run(repr(settings), denoiser, settings, network is None), denoiser, network is not None
    key = (settings, None if step is None else (shelf()[recipe].run, step))
    kept: dict[Any, Run] = st.session_state.setdefault("runs_2d", {})
    if key not in kept:
        with turn():
            kept[key] = runs.run(denoiser, settings, network is None)
        while len(kept) > RUNS_KEPT:
            del kept[next(iter(kept))]
    return kept[key], denoiser, network is not None


@st.cache_resource(max_entries=24, show_spinner=False)
@in_turn
def _shared_run(described: str, _denoiser: "Denoiser", _settings: "Settings", recalled: bool) -> "Run":
    """The run of the settings that `described` stands for; all sessions share the arrays: do not write to them."""
    from explorer.lessons.geometry_lab import runs

    return runs.run(_denoiser, _settings, recalled)


def jobs_for(recipe: "Recipe") -> list[Job]:
    """This visitor's trainings of this recipe, in this tab or another, or from before a reload; newest last."""
    described = recipe.as_json()
    return work.find_jobs(lambda job: job.task == "train_2d" and job.params["recipe"] == described)


def job_for(recipe: "Recipe") -> Job | None:
    """The newest of them."""
    return next(reversed(jobs_for(recipe)), None)


def forget(recipe: "Recipe") -> None:
    """Take a model off the shelf, and drop the trainings that would put it back."""
    _store().drop(work.visitor(), recipe)
    for job in jobs_for(recipe):
        job.cancel()
        work.manager().forget(work.visitor(), job.id)


def start_training(recipe: "Recipe", config: dict[str, Any], size: dict[str, int], resume: bool) -> None:
    """Submit a training job; what is on the shelf stays until the new run has weights.

    To resume is to train for `config["max_seconds"]` more. Raises `JobRefused` with a sentence.
    """
    from explorer.lessons.geometry_lab.runs import points_of

    training, fresh = points_of(recipe.source)
    params: dict[str, Any] = {
        "recipe": recipe.as_json(),
        "run": secrets.token_hex(8),
        "schedule": recipe.schedule,
        "prediction": recipe.prediction,
        "seed": 0,
        "size": size,
        "config": config,
    }
    arrays = {"points": training.numpy(), "fresh": fresh.numpy()}
    trained = shelf().get(recipe)
    if resume and trained and trained.state:
        about, vectors = trained.state
        config = {**config, "max_seconds": about["seconds"] + config["max_seconds"]}
        params = {**params, **about, "run": trained.run, "size": trained.size, "config": config}
        arrays = {**arrays, **vectors}
        snapshots = {step: kept for step, kept in trained.snapshots.items() if step <= about["step"]}
        keep(recipe, replace(trained, snapshots=snapshots))
    work.manager().submit(work.visitor(), "train_2d", params, arrays)


def absorb(recipe: "Recipe", newest: Job) -> None:
    """Take what a training has sent so far onto the shelf; one that was resumed is several jobs of one run."""
    run = newest.params["run"]
    trained = shelf().get(recipe)
    if trained is None or trained.run != run:
        trained = Trained(newest.params["size"], run)
    trained = replace(trained, config=newest.params["config"], snapshots=dict(trained.snapshots))
    for job in jobs_for(recipe):
        if job.params["run"] == run:
            _take(trained, job)
    if trained.snapshots:
        keep(recipe, trained)


def _take(trained: Trained, job: Job) -> None:
    """What one job of its run has sent; where it went on from, what came later before is void."""
    latest = job.latest
    if "step" in job.params:
        kept = trained.snapshots.items()
        trained.snapshots = {step: snapshot for step, snapshot in kept if step <= job.params["step"]}
    for kind, event in latest.items():
        if kind.startswith("snapshot-"):
            trained.snapshots[event.data["step"]] = (event.data, event.arrays["averaged"])
    if "progress" in latest:
        curve = latest["progress"].arrays["curve"]
        before = trained.curve[trained.curve[:, 0] < curve[0, 0]] if len(curve) else trained.curve
        trained.curve = np.concatenate([before, curve])
    if "state" in latest:
        trained.state = (latest["state"].data, latest["state"].arrays)
