"""Background work of this visitor: who they are, and the jobs that run for them."""

import os
import re
import secrets
import sys
from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer.jobs import Job, JobManager
from explorer.ui.components import component

COOKIE = "explorer_visitor"
_visit = component("visit")


def share_cores() -> None:
    """One thread for each page: small models answer sooner so than on threads that wait for the workers' cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it when it is first imported
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@st.cache_resource(show_spinner=False)
def manager() -> JobManager:
    """The job manager of this process."""
    return JobManager(max_seconds=300)


def visitor() -> str:
    """A random name for the person at this browser, the same after a reload and in a second tab.

    It lives in a cookie, which JavaScript sets on the first visit; until then in the session.
    """
    if "visitor" not in st.session_state:
        kept = str(st.context.cookies.get(COOKIE, ""))
        st.session_state["visitor"] = kept if re.fullmatch(r"[0-9a-f]{32}", kept) else secrets.token_hex(16)
    return st.session_state["visitor"]


def remember_visitor() -> None:
    """Set the cookie; call it once a page, outside columns."""
    _visit(key="visit", data={"cookie": COOKIE, "value": visitor()}, height=1)


def find_job(matches: Callable[[Job], bool]) -> Job | None:
    """This visitor's newest job that `matches`, its lease renewed."""
    for job in reversed(manager().jobs(visitor())):
        if matches(job):
            job.renew()
            return job
    return None


def renew_all() -> None:
    """Keep this visitor's jobs alive while they look at any page."""
    for job in manager().jobs(visitor()):
        job.renew()


def describe(job: Job) -> str:
    """One line on where a job stands."""
    if job.state == "queued":
        ahead = job.position - 1
        return "Next in the queue." if ahead == 0 else f"Waiting in the queue behind {ahead} other runs."
    if job.state in ("running", "stopping"):
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        if not progress:
            return "Starting the worker."
        remaining = progress["remaining"]
        left = f", about {remaining:.0f} s left" if remaining is not None else ""
        return f"Step {progress['step']:,}, loss {progress['loss']:.3f}{left}."
    return {
        "done": "Training is done.",
        "stopped": "Training was stopped; what it had learned is kept.",
        "cancelled": "Training was cancelled.",
        "expired": "Training ended because nobody was watching for two minutes.",
    }.get(job.state, job.error or "Training failed.")
