"""The jobs of the page: long walks, and measurements of quality."""

from dataclasses import asdict
from typing import Any

import numpy as np
import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.ui import work
from explorer.ui.controls import SAMPLER_LABELS, sentence
from explorer.ui.sampling_showdown.cache import identity
from explorer.ui.sampling_showdown.words import seconds_of
from explorer.ui.shelf import ImageModel

TASK = "measure_quality"


def job_params(model: ImageModel, methods: list[Method], start: Start, judge: str | None) -> dict[str, Any]:
    """The spec of a job, plain values; the key names a model of the shelf."""
    return {
        "model": model.key if model.shipped else None,
        "key": list(identity(model)),
        "methods": [asdict(method) for method in methods],
        "start": {**asdict(start), "classes": list(start.classes)},
        "judge": judge,
    }


def submit(model: ImageModel, params: dict[str, Any]) -> None:
    """Start a job, or say why not."""
    from explorer.zoo import to_bytes

    try:
        arrays = {} if model.shipped else {"weights": np.frombuffer(to_bytes(model.denoiser), np.uint8)}
        work.manager().submit(work.visitor(), TASK, params, arrays)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    except JobRefused as error:
        st.warning(str(error), icon=":material/hourglass:")
        return
    st.rerun()


def jobs_of(judged: bool) -> list[Job]:
    """This visitor's jobs of this page: measurements, or long walks."""
    return work.find_jobs(lambda job: job.task == TASK and bool(job.params["judge"]) == judged)


def report(job: Job, what: str, key: str) -> None:
    """How a job goes, with a button that ends it; or how it ended without a result."""
    if job.pending:
        work.in_line(job, lambda: _waits(job, what))
    elif not job.finished:
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        left = progress.get("remaining")
        text = "starting the worker" if left is None else f"about {seconds_of(left)} left"
        st.progress(progress.get("share", 0.0), text=f"{what}: {text}.")
    elif job.state == "failed":
        st.error(f"{what}: {job.error}", icon=":material/error:")
    elif job.capped or job.state == "expired":
        st.caption(f"{what}: it was ended before it was done.")
    if not job.finished:
        st.button("Stop", on_click=job.stop, icon=":material/stop:", key=key)


def _waits(job: Job, what: str) -> None:
    st.progress(0.0, text=f"{what}: {work.describe(job)}")


def report_others(jobs: list[Job]) -> None:
    """Jobs that still run though the page has moved on to other settings, so that they can be stopped."""
    for job in jobs:
        if not job.finished:
            names = dict.fromkeys(SAMPLER_LABELS[method["sampler"]] for method in job.params["methods"])
            report(job, f"Still running from before ({', '.join(names)})", f"show_stop_{job.id}")
