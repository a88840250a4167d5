"""Training in the Geometry lab: its settings, its buttons, how it goes, and its history."""

from typing import Any

import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.lessons.geometry_lab.runs import Recipe, Settings
from explorer.ui import work
from explorer.ui.controls import SAMPLER_LABELS
from explorer.ui.geometry_lab import models

RATES = [1e-4, 1e-3, 5e-3, 2e-2, 1e-1, 1.0, 1e6]
BATCHES = [64, 128, 256, 512, 1024]
WIDTHS = [16, 32, 64, 128, 256]
SECONDS = 3


def training_settings() -> tuple[dict[str, Any], dict[str, int]]:
    """How to train (what `TrainConfig` takes) and the size of the network (what `MLP` takes)."""
    with st.expander("Training settings", icon=":material/tune:"):
        seconds = st.slider("Seconds", 1, 30, SECONDS, key="geo_seconds", bind="query-params")
        rate = st.select_slider(
            "Learning rate",
            RATES,
            2e-2,
            format_func=lambda rate: f"{rate:g}",
            key="geo_rate",
            bind="query-params",
            help="At the right end the loss leaves the numbers, and the run says so.",
        )
        batch = st.select_slider("Batch size", BATCHES, 512, key="geo_batch", bind="query-params")
        width = st.select_slider("Width", WIDTHS, 64, key="geo_width", bind="query-params")
        depth = st.slider("Depth", 1, 6, 3, key="geo_depth", bind="query-params")
    config = {"max_seconds": seconds, "learning_rate": rate, "batch_size": batch}
    return config, {"width": width, "depth": depth}


def train_controls(recipe: Recipe, config: dict[str, Any], size: dict[str, int], prefix: str, side: str) -> None:
    """Train, stop, resume, reset: the model of one side, which is named where there are two."""
    job = models.job_for(recipe)
    if job is not None and not job.finished:
        st.button(f"Stop{side}", on_click=job.stop, icon=":material/stop:", key=f"{prefix}_stop")
        return
    trained = models.shelf().get(recipe)
    if st.button(f"Train{side}", type="primary", icon=":material/model_training:", key=f"{prefix}_train"):
        _submit(recipe, config, size, resume=False)
    if trained and trained.state:
        help = "Go on from where it stopped, for as many seconds as chosen below."
        if st.button(f"Resume{side}", icon=":material/resume:", key=f"{prefix}_resume", help=help):
            _submit(recipe, config, size, resume=True)
    if trained or job:
        st.button(
            f"Reset{side}",
            on_click=models.forget,
            args=(recipe,),
            icon=":material/restart_alt:",
            key=f"{prefix}_reset",
            help="Forget what was trained here.",
        )


def _submit(recipe: Recipe, config: dict[str, Any], size: dict[str, int], resume: bool) -> None:
    try:
        models.start_training(recipe, config, size, resume)
    except JobRefused as error:
        st.warning(str(error), icon=":material/hourglass:")
        return
    st.rerun()


def training_report(job: Job | None, title: str) -> None:
    """Progress while a job runs, and how it ended."""
    if job is None or job.state == "done":
        return
    line = f"{title}: {work.describe(job)}"
    if job.pending:
        work.in_line(job, lambda: _waits(job, title))
    elif not job.finished:
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        st.progress(min(1.0, progress.get("share", 0.0)), text=line)
    elif job.state in ("failed", "expired"):
        st.error(line, icon=":material/error:")
    else:
        st.caption(line)


def _waits(job: Job, title: str) -> None:
    st.progress(0.0, text=f"{title}: {work.describe(job)}")


def replay_slider(recipe: Recipe) -> int | None:
    """A moment of the training history, as a step; None is the newest."""
    trained = models.shelf().get(recipe)
    if trained is None or len(trained.snapshots) < 2:
        return None
    moments = sorted(trained.snapshots)

    def describe(step: int) -> str:
        about = trained.snapshots[step][0]
        worth = "samples not finite" if about["distance"] is None else f"distance {about['distance']:.3f}"
        return f"step {step:,} · {about['seconds']:.1f} s · {worth}"

    key = f"geo_moment_{trained.run}_{moments[-1]}"
    help = f"The distance is measured as the lab opens: {judged()}."
    return st.select_slider("Training history", moments, moments[-1], format_func=describe, key=key, help=help)


def judged() -> str:
    """How the distances in the history of a training are measured."""
    return f"{SAMPLER_LABELS[Settings.sampler]}, {Settings.steps} steps, {Settings.n:,} points, seed {Settings.seed}"
