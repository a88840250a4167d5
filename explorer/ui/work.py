"""Background work of this visitor: who they are, and the jobs that run for them."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer import settings
from explorer.jobs import Job, JobManager, JobRefused
from explorer.jobs.cluster import Cluster
from explorer.jobs.process import Engine, Processes
from explorer.lessons.tasks import HERE, ON_GPU, TASKS
from explorer.ui.components import component
from explorer.ui.spent import fragment
from explorer.ui.visitors import COOKIE, name_in, new_name, own

RENEW_SECONDS = 30.0
IDLE_SECONDS = 3600.0  # any: a browser that has a timer runs the page anew when its lost connection is back
SOON, LATER = 1.0, 4.0  # seconds between two looks at a queued job: at the next ones to begin, at the others
WATCHERS: list[Callable[[Job], None]] = []  # called with every job that has ended; they must be quick
Standing = tuple[tuple[str, bool], ...]
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
    engine: Engine = Processes(chosen.workers, chosen.job_bytes)
    if chosen.cluster:
        gpus = dict.fromkeys(ON_GPU, chosen.cluster_gpus) if chosen.cluster_gpus else {}
        engine = Cluster(chosen.cluster, HERE, gpus)
    return JobManager(TASKS, chosen.workers, engine=engine, max_seconds=chosen.job_seconds, ended=_tell)


def _tell(job: Job) -> None:
    for watch in WATCHERS:
        watch(job)


def time_factor() -> float:
    """Seconds that a training takes where the jobs run, for each that it would take here; 1 until that is known."""
    if not isinstance(manager().engine, Cluster):
        return 1.0
    try:
        timed = _timed()
    except JobRefused:  # too many wait
        return 1.0
    for job in timed:
        job.renew()
    if all("pace" in job.latest for job in timed):
        here, there = (job.latest["pace"].data["seconds"] for job in timed)
        return float(there / here)
    if any(job.finished and "pace" not in job.latest for job in timed):
        _timed.clear()  # the next who asks tries again
    return 1.0


@st.cache_resource(show_spinner=False)
def _timed() -> tuple[Job, Job]:
    """Steps that are timed on this machine, and where the jobs run."""
    here, there = (manager().submit("the course itself", task, {}) for task in ("time_steps_here", "time_steps"))
    return here, there


def visitor() -> str:
    """A random name for the person at this browser, the same after a reload and in a second tab.

    It lives in a cookie, and in the session.
    """
    if "visitor" not in st.session_state:
        st.session_state["visitor"] = name_in(st.context.cookies) or new_name()
        if run := get_script_run_ctx():
            own(run.session_id, st.context.cookies)
    return st.session_state["visitor"]


def attend(cookies: Callable[[], Mapping[str, str]]) -> None:
    """Remember the visitor, and keep their jobs alive while they look at any page; call it once a page. The browser
    keeps what `cookies` returns, too."""
    fragment(_attend, run_every=RENEW_SECONDS if renewed() else IDLE_SECONDS)(cookies)


def _attend(cookies: Callable[[], Mapping[str, str]]) -> None:
    renewed()
    alone = name_in(st.context.cookies) != visitor()  # a page that runs alone, without the server of Home.py
    named = {COOKIE: visitor()} if alone else {}
    _visit(key="visit", data={"cookies": {**named, **cookies()}}, height=1)


def renewed() -> list[Job]:
    """This visitor's jobs, the newest last, their leases renewed."""
    jobs = manager().jobs(visitor())
    for job in jobs:
        job.renew()
    return jobs


def find_jobs(matches: Callable[[Job], bool]) -> list[Job]:
    """This visitor's jobs that `matches`, the newest last, their leases renewed."""
    return [job for job in renewed() if matches(job)]


def standing(jobs: Iterable[Job]) -> Standing:
    """The unfinished ones by their ids, and whether each still waits: when this changes, the page has to run again."""
    return tuple((job.id, job.pending) for job in jobs if not job.finished)


def pace(jobs: Standing, seconds: float = 1.0) -> float | None:
    """How often a fragment looks at jobs; None while no worker is at any of them: `in_line` looks at what waits."""
    return None if all(waits for _, waits in jobs) else seconds


def in_line(job: Job, draw: Callable[[], None]) -> None:
    """Draw where a queued job stands, in a fragment of its own: a class that waits must not run whole pages.

    The page runs again when a worker has begun the job.
    """

    def next_ones() -> bool:
        return job.position <= manager().workers

    def look() -> None:
        job.renew()
        if not job.pending or next_ones() != soon:
            st.rerun()
        draw()

    soon = next_ones()
    fragment(look, run_every=SOON if soon else LATER)()


def describe(job: Job) -> str:
    """One line on where a job stands."""
    if job.hindrance:
        return job.hindrance
    if job.state == "queued":
        ahead = max(job.position - 1, 0)  # it may have left the queue just now
        return f"Waiting in the queue behind {ahead} other run{'s' * (ahead > 1)}." if ahead else "Next in the queue."
    if job.state in ("running", "stopping"):
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        if not progress:
            return "The worker loads its libraries."
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
