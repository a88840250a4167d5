"""Background work: a serialisable spec goes in, a stream of events comes out, cancel at any time.

    manager = JobManager({"train": "my.module:train"})
    job = manager.submit(session, "train", {"steps": 500}, {"data": points})
    while not job.finished:
        job.renew()                                  # the page is still there
        draw(job.latest)                             # the newest event of each kind

A task is a generator function that runs in a worker process:
`def task(params, arrays, stop) -> Iterator[Event]`. It should look at `stop()` now and then,
yield what it has when that turns true, and return.
"""

from explorer.jobs.events import Event, JobError
from explorer.jobs.manager import Job, JobManager, JobRefused
from explorer.jobs.store import Store

__all__ = ["Event", "Job", "JobError", "JobManager", "JobRefused", "Store"]
