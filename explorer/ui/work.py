"""Background work of this visitor: who they are, and the jobs that run for them."""

import os
import re
import secrets
import sys
from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer import settings
from explorer.jobs import Job, JobManager
from explorer.lessons.tasks import TASKS
from explorer.ui.components import component
from explorer.ui.spent import fragment

COOKIE = "explorer_visitor"
WATCHERS: list[Callable[[Job], None]] = []  # called with every job that has ended; they must be quick
_visit = component("visit")


def share_cores() -> None:
    """One thread for each page: small models answer sooner so than on threads that wait for the workers' cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it when it is first imported
    if set_num_threads := getattr(sys.modules.get("torch"), "set_num_threads", None):
        set_num_threads(1)  # it is missing while another thread imports torch


@st.cache_resource(show_spinner=False)
def manager() -> JobManager:
    """The job manager of this process."""
    chosen = settings.read()
    return JobManager(TASKS, chosen.workers, max_seconds=chosen.job_seconds, ended=_tell)


def _tell(job: Job) -> None:
    for watch in WATCHERS:
        watch(job)


def visitor() -> str:
    """A random name for the person at this browser, the same after a reload and in a second tab.

    It lives in a cookie, which JavaScript sets on the first visit; until then in the session.
    """
    if "visitor" not in st.session_state:
        kept = str(st.context.cookies.get(COOKIE, ""))
        st.session_state["visitor"] = kept if re.fullmatch(r"[0-9a-f]{32}", kept) else secrets.token_hex(16)
    return st.session_state["visitor"]


def attend() -> None:
    """Remember the visitor, and keep their jobs alive while they look at any page; call it once a page."""
    _visit(key="visit", data={"cookie": COOKIE, "value": visitor()}, height=1)
    if renewed():
        fragment(renewed, run_every=30.0)()


def renewed() -> list[Job]:
    """This visitor's jobs, the newest last, their leases renewed."""
    jobs = manager().jobs(visitor())
    for job in jobs:
        job.renew()
    return jobs


def find_jobs(matches: Callable[[Job], bool]) -> list[Job]:
    """This visitor's jobs that `matches`, the newest last, their leases renewed."""
    return [job for job in renewed() if matches(job)]


def describe(job: Job) -> str:
    """One line on where a job stands."""
    if job.state == "queued":
        ahead = max(job.position - 1, 0)  # it may have left the queue just now
        return f"Waiting in the queue behind {ahead} other run{'s' * (ahead > 1)}." if ahead else "Next in the queue."
    if job.state in ("running", "stopping"):
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        if not progress:
            return "Starting the worker."
        remaining = progress["remaining"]
        left = f", about {remaining:.0f} s left" if remaining is not None else ""
        return f"Step {progress['step']:,}, loss {progress['loss']:.3f}{left}."
    if job.state == "failed":
        return job.error or "Training failed."
    if job.state == "expired":
        return "Training ended because nobody was watching for two minutes."
    if job.capped:
        return "Training reached the longest time that a run may take here; what it had learned is kept."
    learned = "what it had learned is kept" if job.latest else "it had not begun"
    return "Training is done." if job.state == "done" else f"Training was stopped; {learned}."
