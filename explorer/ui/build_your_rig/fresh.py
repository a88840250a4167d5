"""A fresh trace of what the table has to interpolate, as a job."""

from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.lessons.build_your_rig.task import absorb
from explorer.ui import work
from explorer.ui.build_your_rig.asking import Wish
from explorer.ui.markdown import plain
from explorer.ui.spent import fragment

TASK = "trace_system"


def take_in() -> None:
    """What this visitor's traces have found answers for everyone from now on."""
    for job in work.find_jobs(lambda job: job.task == TASK):
        for kind, event in job.latest.items():
            if kind.startswith("traced-"):
                absorb(event)


def offer(wish: Wish, computed: bool) -> None:
    """What a trace of this very setting took, how it goes, or a button that starts it; nothing where the table has it
    already."""
    params = {"system": wish.system.key, "asked": asdict(wish.asked)}
    jobs = work.find_jobs(lambda job: job.task == TASK and job.params == params)
    if jobs and not jobs[-1].finished:
        _follow(jobs[-1])
    elif jobs and jobs[-1].state == "failed":
        st.warning(plain(jobs[-1].error or "The trace was ended."), icon=":material/error:")
    elif jobs and "spent" in jobs[-1].latest:
        spent = jobs[-1].latest["spent"].data
        held = f", by a worker that has held {spent['bytes'] / 2**20:,.0f} MiB at most" if spent["bytes"] else ""
        st.caption(f"Traced just now at this very setting, in {spent['seconds']:.1f} s{held}.")
    elif not computed and find_spec("diffusers") is None:
        st.caption("To trace this very setting, install the app with its extra `rig`: it brings diffusers.")
    elif not computed and st.button("Trace this very setting", icon=":material/troubleshoot:", key="rig_trace"):
        try:
            work.manager().submit(work.visitor(), TASK, params)
        except JobRefused as refusal:
            st.warning(str(refusal), icon=":material/hourglass:")
        else:
            st.rerun()


@fragment(run_every=1.0)
def _follow(job: Job) -> None:
    """How a trace goes, once a second until it ends."""
    job.renew()
    if job.finished:
        st.rerun()
    progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
    part = progress.get("part", "diffusers, which takes some seconds the first time")
    st.progress(progress.get("share", 0.0), text=work.describe(job) if job.pending else f"At work: {part}.")
    st.button("Cancel", on_click=job.cancel, icon=":material/close:", key="rig_trace_cancel")
