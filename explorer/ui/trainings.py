"""The trainings of image models, with their histories, and a line in the sidebar while one runs."""

import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.jobs import Job, Store
from explorer.lessons.trainings.plan import OWN, Plan
from explorer.lessons.trainings.record import Training
from explorer.ui import work
from explorer.ui.markdown import plain
from explorer.ui.shelf import ImageModel, keep, models_of, unlike
from explorer.ui.spent import fragment

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset

TASK = "train_images"
MOST_TRAININGS = 6
TRAININGS_BYTES = 24 * 2**20
TRAININGS_BYTES_OF_ALL = 256 * 2**20
DROPPED = (
    "This training was dropped because no page of yours was open for some minutes. What had come before is kept, but "
    "what it did since is gone."
)
_one_at_a_time = threading.RLock()  # two tabs of a visitor must not both take in what a job has sent


@st.cache_resource(show_spinner=False)
def _store() -> Store[str, Training]:
    return Store(attrgetter("bytes"), MOST_TRAININGS, TRAININGS_BYTES, TRAININGS_BYTES_OF_ALL, lighten=_without_weights)


@st.cache_resource(show_spinner=False)
def _numbers() -> Store[str, int]:
    """The number of each visitor's last run."""
    return Store(sys.getsizeof, 1, 2**10, 2**20)


def known() -> dict[str, Training]:
    """The trainings of this visitor by run, the newest last. Copy one to change it, and `remember` the copy."""
    return _store().all(work.visitor())


def remember(training: Training) -> None:
    """Put a training with the others, in place of what it was, under a name that no other has.

    The oldest lose their weights, or go, when all take too much. What a paused one has learned so far goes on the
    shelf then.
    """
    name = unlike(training.name, (other.name for run, other in known().items() if run != training.run))
    _store().put(work.visitor(), training.run, replace(training, name=name))


def _without_weights(visitor: str, training: Training) -> Training | None:
    """A training without the weights of its moments, then without what resuming needs; None when it has neither."""
    if any(moment.weights is not None for moment in training.moments.values()):
        moments = {step: replace(moment, weights=None) for step, moment in training.moments.items()}
        return replace(training, moments=moments)
    if not training.state:
        return None
    if training.run not in models_of(visitor):
        put_on_shelf(training, max(training.kept_steps), training.name, visitor=visitor)
    return replace(training, state=None)


def adopt_history(training: Training) -> Training:
    """Put a training that was loaded from a file with the others, as another than the one that it was saved from."""
    training = replace(training, run=secrets.token_hex(8))
    remember(training)
    return training


def jobs() -> list[Job]:
    """This visitor's trainings that run or have not been taken in, in this tab or another; newest last."""
    return work.find_jobs(lambda job: job.task == TASK)


def job_of(run: str) -> Job | None:
    """The job of a training that is under way."""
    return next((job for job in jobs() if job.params["run"] == run), None)


def absorb() -> list[Job]:
    """Take what this visitor's trainings have sent so far; what is done goes on the shelf. Returns those under way."""
    with _one_at_a_time:
        under_way = []
        for job in jobs():
            finished = job.finished  # asked before the events are read, so that none can come after
            training = known().get(job.params["run"])
            if training is not None or not finished:  # else it was forgotten
                _take_in(job, training or _begun(job), finished)
            if finished:
                work.manager().forget(work.visitor(), job.id)
            else:
                under_way.append(job)
        here = {job.id for job in under_way}
        for training in known().values():
            if training.job and training.job not in here:
                remember(replace(training, job="", problem=DROPPED, news=True))
        return under_way


def _begun(job: Job) -> Training:
    params = job.params
    return Training(params["run"], params["name"], Plan(**params["plan"]), page=params["page"], job=job.id)


def _take_in(job: Job, training: Training, finished: bool) -> None:
    training = replace(training, job="" if finished else job.id)
    training.take(job.latest, job.params.get("step", 0))
    if finished:
        failed = job.state in ("failed", "expired")
        training.problem = work.describe(job) if failed else ""
        training.news = failed or job.capped or job.state == "done"
        complete = job.state == "done" or training.done >= 1  # one may be paused while it is being measured
        if training.kept_steps and (complete or training.ended):
            _put_end_on_shelf(training)
    remember(training)


def start(plan: Plan, what: str, dataset: "ImageDataset", page: str) -> str:
    """Start a training of `what` for the page of that path; returns its run. Raises `JobRefused` with a sentence."""
    with _one_at_a_time:
        number = (_numbers().get(work.visitor(), "last") or 0) + 1
        training = Training(secrets.token_hex(8), f"Run {number}: {what}", plan, dataset.shape, page=page)
        job = _submit(training, plan, {}, _arrays(plan, dataset), dataset.classes)
        _numbers().put(work.visitor(), "last", number)
        remember(replace(training, job=job))
    return training.run


def resume(run: str, plan: Plan, dataset: "ImageDataset | None") -> str:
    """Go on where a training stands, to the end of `plan`, as `start` does. Raises `JobRefused` with a sentence."""
    with _one_at_a_time:
        absorb()
        training = known().get(run)
        if training is None or not training.state or job_of(run):  # another tab was quicker
            return run
        about, vectors = training.state
        arrays = dict(vectors) | (_arrays(plan, dataset) if dataset else {})
        job = _submit(training, plan, about, arrays, training.classes)
        remember(replace(training, plan=plan, ended=False, problem="", news=False, job=job))
    return run


def _submit(
    training: Training, plan: Plan, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]
) -> str:
    """Hand in a job; its id."""
    known = {"run": training.run, "name": training.name, "page": training.page}
    params = {**known, "plan": asdict(plan), "classes": classes, **about}
    return work.manager().submit(work.visitor(), TASK, params, arrays).id


def _arrays(plan: Plan, dataset: "ImageDataset") -> dict[str, np.ndarray]:
    """What the worker cannot load by itself: the person's own images."""
    if plan.dataset != OWN:
        return {}
    arrays = {"images": ((dataset.images + 1) * 127.5).round().byte().numpy()}
    return arrays | ({} if dataset.labels is None else {"labels": dataset.labels.numpy()})


def put_on_shelf(training: Training, step: int, label: str, key: str = "", visitor: str = "") -> None:
    """The averaged weights of a moment of a training become a model of the shelf.

    Without a `key` it is that of the run, which has one model: a later one takes its place.
    """
    about = {"plan": asdict(training.plan), "step": step, "epoch": training.epoch_of(step)}
    model = ImageModel(
        key=key or training.run,
        label=label,
        denoiser=training.denoiser_at(step),
        dataset=training.plan.dataset,
        classes=training.classes,
        about=about | training.results.get(step, {}),
    )
    keep(model, visitor)


def _put_end_on_shelf(training: Training) -> None:
    """The newest weights go on the shelf: in the place of earlier ones of this run, but beside what was measured."""
    step = max(training.kept_steps)
    first = min(training.results, default=step)
    if step == first:
        put_on_shelf(training, step, training.name)
    else:
        put_on_shelf(training, step, f"{training.name}, epoch {training.epoch_of(step):,.0f}", f"{training.run}-{step}")


def end(run: str) -> None:
    """Stop a training for good: what it has learned goes on the shelf. It can still be resumed."""
    with _one_at_a_time:
        absorb()
        if (training := known().get(run)) is None:
            return
        if job := job_of(run):
            job.stop()  # `absorb` puts it on the shelf when it has handed over what it has
        elif training.kept_steps:
            _put_end_on_shelf(training)
        remember(replace(training, ended=True))


def rename(run: str, name: str) -> None:
    """Call a training otherwise."""
    with _one_at_a_time:
        if training := known().get(run):
            remember(replace(training, name=name))


def forget(run: str) -> None:
    """Drop a training and its job; what it has on the shelf stays there."""
    with _one_at_a_time:
        if job := job_of(run):
            job.cancel()
            work.manager().forget(work.visitor(), job.id)
        _store().drop(work.visitor(), run)


def describe(training: Training, job: Job | None) -> str:
    """One line on where a training stands."""
    about = training.progress
    if job is not None and not job.finished:
        if job.pending or not about:
            return work.describe(job)
        speed = about.get("images_per_second")
        left = about.get("remaining")
        parts = [_when(training, about["epoch"], about["seconds"])]
        parts += [f"{speed:,.0f} images a second"] if speed else []
        parts += [f"about {left:.0f} s left"] if left is not None else []
        return " · ".join(parts)
    if training.diverged:
        kept = " The last good weights are kept." if training.state else ""
        return f"{training.problem or 'The loss stopped being a finite number.'}{kept}"
    if training.problem:
        return training.problem
    if not about:
        return "This training was stopped before it had begun."
    when = _when(training, about["epoch"], about["seconds"])
    if training.done >= 1:
        return f"{when}."
    return f"{'Paused' if training.state and not training.ended else 'Stopped'} at {when[0].lower()}{when[1:]}."


def _when(training: Training, epoch: float, seconds: float) -> str:
    plan = training.plan
    if plan.epochs:
        return f"Epoch {min(epoch, plan.epochs):,.0f} of {plan.epochs:,}, {seconds:.0f} s"
    return f"{seconds:.0f} of {plan.seconds} s, epoch {epoch:,.0f}"


def summarise(training: Training) -> str:
    """How a training ended, in a few words."""
    found = training.result
    if training.problem or training.done < 1 or not found:
        return describe(training, None)
    if "accuracy" in found:
        return f"done. {found['accuracy']:.0%} of its samples are of the class asked for."
    loss = found.get("held_out_loss", found.get("training_loss"))
    return "done." if loss is None else f"done. Its loss is {loss:.3f}."


def look() -> None:
    """The page that shows the trainings is open: the sidebar need not tell of those that have ended."""
    with _one_at_a_time:
        absorb()
        for run, training in known().items():
            if training.news:
                _dismiss(run)


def _dismiss(run: str) -> None:
    with _one_at_a_time:
        if training := known().get(run):
            remember(replace(training, news=False))


def attend(link: Callable[[str, str], None]) -> None:
    """On every page: take in what this visitor's trainings have sent, and show in the sidebar those that run, and
    those that have ended until they are looked at."""
    running = work.standing(absorb())
    ended = [training for training in known().values() if training.news]
    if not running and not ended:
        return
    with st.sidebar:
        if running:
            fragment(_line, run_every=work.pace(running, 2.0) or work.LATER)(running)
        for training in ended:
            _news(training)
        newest = known()[jobs()[-1].params["run"]] if running else ended[-1]
        link(newest.page, "Training lab")


def _line(running: work.Standing) -> None:
    jobs = absorb()
    if work.standing(jobs) != running:
        st.rerun()
    for job in jobs:
        training = known()[job.params["run"]]
        st.progress(training.done, text=f"{plain(training.name)}: {describe(training, job)}")


def _news(training: Training) -> None:
    icon = ":material/error:" if training.problem else ":material/check_circle:"
    st.markdown(f"{icon} {plain(training.name)}: {summarise(training)}")
    st.button(
        "Dismiss",
        on_click=_dismiss,
        args=(training.run,),
        type="tertiary",
        icon=":material/close:",
        key=f"trainings_dismiss_{training.run}",
    )
