"""Waiting for what jobs do."""

import time

import psutil

from explorer.jobs import Event, Job


def wait_for(condition, seconds: float = 60.0):
    """The first true value of `condition()`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
    return value


def finish(job: Job) -> Job:
    wait_for(lambda: job.finished)
    return job


def event(job: Job, kind: str) -> Event:
    return wait_for(lambda: job.latest.get(kind))


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
