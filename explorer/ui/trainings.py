"""The trainings of image models, with their histories, and a line in the sidebar while one runs."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.jobs import Job
from explorer.lessons.trainings.plan import OWN, Plan
from explorer.lessons.trainings.record import Training
from explorer.ui import work
from explorer.ui.markdown import plain
from explorer.ui.shelf import ImageModel, keep, models

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset

TASK = "train_images"
MOST_TRAININGS = 6
TRAININGS_BYTES = 24 * 2**20


def known() -> dict[str, Training]:
    """The trainings of this session by run, the newest last; those of other tabs are taken in by `absorb`."""
    return st.session_state.setdefault("trainings", {})


def remember(training: Training) -> None:
    """Put a training with the others; the oldest goes, or loses its weights, when they take too much.

    What a paused one has learned so far goes on the shelf then.
    """
    runs = known()
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
    if training.state and training.run not in models():
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
        training = known().get(run)
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
    known().pop(training.run, None)
    for job in jobs():
        if job.params["run"] == training.run:
            job.cancel()
            work.manager().forget(work.visitor(), job.id)
    _forgotten().add(training.run)


def _forgotten() -> set[str]:
    return st.session_state.setdefault("trainings_forgotten", set())


def describe(training: Training, job: Job | None) -> str:
    """One line on where a training stands."""
    about = training.progress
    if job is not None and not job.finished:
        if job.state == "queued" or not about:
            return work.describe(job)
        speed = about.get("images_per_second")
        left = about.get("remaining")
        parts = [_when(training, about["epoch"], about["seconds"])]
        parts += [f"{speed:,.0f} images a second"] if speed else []
        parts += [f"about {left:.0f} s left"] if left is not None else []
        return " · ".join(parts)
    if training.diverged:
        kept = " The last good weights are kept." if training.state else ""
        return f"{job.error if job and job.error else 'The loss stopped being a finite number.'}{kept}"
    if job is not None and job.state in ("failed", "expired"):
        return work.describe(job)
    if not about:
        return "This training was stopped before it had begun."
    when = _when(training, about["epoch"], about["seconds"])
    return (
        f"{when}."
        if training.done >= 1
        else f"{'Paused' if training.state else 'Stopped'} at {when[0].lower()}{when[1:]}."
    )


def _when(training: Training, epoch: float, seconds: float) -> str:
    plan = training.plan
    if plan.epochs:
        return f"Epoch {min(epoch, plan.epochs):,.0f} of {plan.epochs:,}, {seconds:.0f} s"
    return f"{seconds:.0f} of {plan.seconds} s, epoch {epoch:,.0f}"


def attend(link: Callable[[str, str], None]) -> None:
    """On every page: take in what this visitor's trainings have sent, and show those that run in the sidebar."""
    running = [job.id for job in absorb()]
    if running:
        with st.sidebar:
            st.fragment(_line, run_every=2.0)(running, link)


def _line(running: list[str], link: Callable[[str, str], None]) -> None:
    jobs = absorb()
    if [job.id for job in jobs] != running:
        st.rerun()
    for job in jobs:
        training = known()[job.params["run"]]
        st.progress(training.done, text=f"{plain(training.name)}: {describe(training, job)}")
    if jobs:
        link(jobs[-1].params["page"], "Training lab")
