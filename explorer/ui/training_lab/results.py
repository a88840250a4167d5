"""What a training shows beside its film: how it goes, what was measured, and its losses."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.jobs import Job
from explorer.lessons.trainings.record import Training
from explorer.ui import trainings, work
from explorer.ui.chart import chart
from explorer.ui.markdown import plain


def report(training: Training, job: Job | None, name: str) -> None:
    """Progress while a training runs, and how it ended."""
    line = name + trainings.describe(training, job)
    if job is not None and job.pending:
        work.in_line(job, lambda: _progress(training, job, name))
    elif job is not None and not job.finished:
        _progress(training, job, name)
    elif training.diverged or training.problem:
        st.error(line, icon=":material/error:")
    else:
        st.caption(line)


def _progress(training: Training, job: Job, name: str) -> None:
    st.progress(training.done, text=name + trainings.describe(training, job))


def numbers(training: Training) -> None:
    """What was measured at each end of a run: one that was trained for longer has several."""
    newest = max(training.results, default=0)
    for step, found in sorted(training.results.items()):
        if len(training.results) > 1 or training.progress["step"] > newest:
            st.caption(f"Measured at epoch {training.epoch_of(step):,.0f}:")
        _measured(found, training.progress.get("images_per_second") if step == newest else None)


def _measured(found: Mapping[str, Any], speed: float | None) -> None:
    if found.get("blew_up"):
        from explorer.metrics import NotFinite

        st.error(str(NotFinite()), icon=":material/error:")
    with st.container(horizontal=True):
        if "accuracy" in found:
            help = "Of 200 samples at guidance 1.5, as a classifier sees them that was trained on real images."
            st.metric("Of the class asked for", f"{found['accuracy']:.1%}", width="content", help=help)
        if {"training_loss", "held_out_loss"} <= found.keys():
            help = "Of the averaged weights at the end, on the same noise and noise levels."
            losses = f"{found['training_loss']:.3f}, held-out {found['held_out_loss']:.3f}"
            st.metric("Loss at the end, on training images", losses, width="content", help=help)
        if "copies" in found:
            help = (
                "The share of 200 samples whose nearest real image is one it was trained on, among as many held-out "
                "ones. About half is what a model that only generalises would have."
            )
            st.metric("Nearest real image is a training image", f"{found['copies']:.0%}", width="content", help=help)
        if {"distance", "held_out_distance"} <= found.keys():
            help = (
                "Median distance to the nearest training image, of samples and of real held-out images: root mean "
                "square over pixels, where black to white is 2. Near 0 is a copy."
            )
            distances = f"{found['distance']:.2f}, held-out {found['held_out_distance']:.2f}"
            st.metric("Distance of samples", distances, width="content", help=help)
        if speed:
            st.metric("Images a second", f"{speed:,.0f}", width="content", help="Training alone, without measuring.")


def charts(trainings: Sequence[Training]) -> None:
    """The losses by epoch, and by noise level."""
    from explorer.charts.training_lab import levels_chart, losses_chart

    dark = st.context.theme.type == "dark"
    shown = [training for training in trainings if len(training.curve)]
    if not shown:
        st.caption("The charts begin with the first steps.")
        return
    left, right = st.columns(2)
    with left:
        st.markdown(
            "**Loss**", help="Each step's faintly, smoothed, and that of the averaged weights on held-out images."
        )
        chart(losses_chart(shown, dark), alt="The training and the held-out loss against the epoch.")
    with right:
        st.markdown("**Loss by noise level**", help="Of the averaged weights, always on the same images and noise.")
        chart(levels_chart(shown, dark), alt="The training and the held-out loss against the log-SNR.")
    st.caption(
        "In the charts the training loss is that of each step's own weights, on its own batch and noise; the losses at "
        "the end are those of the averaged weights, on the same noise for both."
    )
    if len(shown) > 1:
        st.caption(f"Solid lines: {plain(shown[0].name)}. Dashed lines: {plain(shown[1].name)}.")
