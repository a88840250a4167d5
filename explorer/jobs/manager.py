"""The server's side of background work: a fair queue, a few worker processes, time caps and leases."""

import atexit
import contextlib
import logging
import math
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from explorer.jobs.events import BEGIN, END, Event, JobError, MessageError, encode, read
from explorer.jobs.process import Engine, Processes, Worker

MAX_UNFINISHED = 200  # jobs, of all sessions together
KEEP_FINISHED = 3  # finished jobs of each task that a session keeps
KEEP_SECONDS = 300.0  # how long a finished job is kept after its last renewal
CANCEL_GRACE = 0.2  # seconds a worker has to drop a cancelled job before it is killed
CAP_GRACE = 8.0  # seconds a job at its time cap has to hand over its result
GROWING = 10.0  # seconds until a job that has begun has taken the memory that it needs

# "waiting" has left the queue, and there is no sign of life yet from the worker that it was given
State = Literal["queued", "waiting", "running", "stopping", "done", "stopped", "cancelled", "failed", "expired"]
NO_MEMORY = "Waiting until the server has memory free."
UNFINISHED = ("queued", "waiting", "running", "stopping")
log = logging.getLogger(__name__)


class JobRefused(Exception):
    """The job was not taken; the text is a sentence for the page."""


class Job:
    """One run of a task, made by `JobManager.submit`. Any thread may read it and call its methods.

    `error` is a sentence when the state is "failed"; `capped` tells that the time cap stopped it.
    """

    def __init__(
        self,
        manager: "JobManager",
        session: str,
        task: str,
        params: dict[str, Any],
        spec: bytes,
        max_seconds: float,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.session, self.task, self.params, self.max_seconds = session, task, params, max_seconds
        self.state: State = "queued"
        self.error: str | None = None
        self.capped = False
        self._manager = manager
        self._spec = spec
        self._latest: dict[str, Event] = {}
        self._renewed = time.monotonic()
        self._taken = math.inf  # when it left the queue
        self._started: float | None = None
        self._ended: float | None = None
        self._worker: Worker | None = None
        self._spec_sent = False  # from then on the pipe is free for "stop" and "cancel"
        self._kill_at = math.inf
        self._killed = False

    @property
    def finished(self) -> bool:
        """True when nothing more will come."""
        return self.state not in UNFINISHED

    @property
    def pending(self) -> bool:
        """True until a worker has begun it."""
        return self.state in ("queued", "waiting")

    @property
    def position(self) -> int:
        """Place in the queue: 1 is next, 0 when not queued."""
        with self._manager._changed:
            return self._manager._queue().index(self) + 1 if self.state == "queued" else 0

    @property
    def hindrance(self) -> str:
        """A sentence on what the job waits for, besides the jobs before it; "" when there is nothing else."""
        if self.state == "waiting":
            return self._manager.engine.waiting
        return NO_MEMORY if self.state == "queued" and self._manager._crowded else ""

    @property
    def seconds(self) -> float:
        """Seconds of running so far, the queue and the start of a worker not counted."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    @property
    def latest(self) -> dict[str, Event]:
        """The newest event of each kind, all from one moment. The arrays are read-only: copy to change."""
        with self._manager._changed:
            return dict(self._latest)

    def renew(self) -> None:
        """Tell that the page is still there; a job that nobody renews expires."""
        self._renewed = time.monotonic()

    def stop(self) -> None:
        """Ask the task to finish and hand over what it has; a queued job leaves the queue at once."""
        with self._manager._changed:
            self._manager._stop(self)

    def cancel(self) -> None:
        """End the job at once, whatever it is doing; the events that had come are kept."""
        with self._manager._changed:
            self._manager._drop(self, "cancelled")


class JobManager:
    """Runs jobs of many sessions on a few workers, started when needed and ended when idle.

    `tasks` maps a name to "module:function". `engine` is where workers run, this machine unless it is given; there are
    `workers` at most, which defaults to what the engine can carry, and torch may use `threads` in each, by default as
    the engine says. A session has at most `per_session` unfinished jobs, each running `max_seconds` at most; a job that
    its page does not renew for `lease_seconds` is dropped. A worker without work ends after `idle_seconds`. `ended` is
    called, in any thread, with each job that has finished; it must be quick.
    """

    def __init__(
        self,
        tasks: Mapping[str, str],
        workers: int | None = None,
        threads: int | None = None,
        engine: Engine | None = None,
        per_session: int = 2,
        max_seconds: float = 600,
        lease_seconds: float = 120,
        idle_seconds: float = 30,
        ended: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self.tasks = dict(tasks)
        self.engine: Engine = engine or Processes(workers)
        self._most_workers, self.ended = workers, ended
        self.threads = threads or self.engine.threads
        self.per_session, self.max_seconds = per_session, max_seconds
        self.lease_seconds, self.idle_seconds = lease_seconds, idle_seconds
        self._changed = threading.Condition()  # its lock guards everything below and in the jobs
        self._jobs: dict[str, Job] = {}  # in order of submission
        self._serving: set[Job] = set()  # those that hold a worker
        self._slots: set[threading.Thread] = set()  # one for each worker process
        self._idle = 0
        self._crowded = False  # memory is too scarce for another job
        self._closed = False
        threading.Thread(target=self._watch, name="jobs-watch", daemon=True).start()
        atexit.register(self.close)

    @property
    def workers(self) -> int:
        """Jobs that can run at once."""
        return self._most_workers or self.engine.capacity

    def submit(
        self,
        session: str,
        task: str,
        params: dict[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        max_seconds: float | None = None,
    ) -> Job:
        """Queue a job; `params` must be JSON-serialisable, the arrays as `events.encode` takes them.

        Raises `JobRefused` when the session or the server has too many unfinished jobs or the arrays
        exceed 64 MiB, `KeyError` for an unknown task, `TypeError` for what a message cannot hold.
        """
        try:
            spec = encode(Event("run", {"target": self.tasks[task], "params": params}, dict(arrays or {})))
        except MessageError as error:
            raise JobRefused("This is too much data for one job: 64 MiB is the limit.") from error
        job = Job(self, session, task, params, spec, min(max_seconds or math.inf, self.max_seconds))
        with self._changed:
            unfinished = [other for other in self._jobs.values() if not other.finished]
            if self._closed:
                raise JobRefused("The server is shutting down.")
            if sum(other.session == session for other in unfinished) >= self.per_session:
                count = "a job" if self.per_session == 1 else f"{self.per_session} jobs"
                raise JobRefused(f"You already have {count} running or waiting: stop one, or wait for it.")
            if len(unfinished) >= MAX_UNFINISHED:
                raise JobRefused("The server has too many jobs waiting: try again in a minute.")
            kept = [other for other in self.jobs(session) if other.finished and other.task == task]
            for old in kept[: max(0, len(kept) + 1 - KEEP_FINISHED)]:
                del self._jobs[old.id]
            self._jobs[job.id] = job
            self._hire()
            self._changed.notify_all()
        return job

    def jobs(self, session: str) -> list[Job]:
        """The jobs of one session in order of submission, the finished ones that are kept included."""
        with self._changed:
            return [job for job in self._jobs.values() if job.session == session]

    def counts(self) -> Counter[str]:
        """How many jobs are in each state, of all sessions; of the finished ones those that are kept."""
        with self._changed:
            return Counter(job.state for job in self._jobs.values())

    def get(self, session: str, job_id: str) -> Job | None:
        """The session's job of that id; None when there is none or it is another session's."""
        with self._changed:
            job = self._jobs.get(job_id)
        return job if job and job.session == session else None

    def forget(self, session: str, job_id: str) -> None:
        """Drop a finished job of the session; one that is unfinished or unknown is left alone."""
        with self._changed:
            job = self.get(session, job_id)
            if job and job.finished:
                del self._jobs[job.id]

    def close(self) -> None:
        """Cancel everything and end all workers. No job is taken afterwards."""
        atexit.unregister(self.close)
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                self._drop(job, "cancelled")
            for job in self._serving:
                if job._worker:
                    job._worker.kill()
            slots = list(self._slots)
            self._changed.notify_all()
        for slot in slots:
            slot.join(timeout=5)

    # From here on: what runs with the lock held (_queue to _tell), then the threads.

    def _queue(self) -> list[Job]:
        """The queued jobs, next first: in order of submission, but a session's second behind all firsts."""
        waiting, ahead = [], Counter[str]()
        for job in self._jobs.values():
            if job.state == "queued":
                waiting.append((ahead[job.session], job))
            ahead[job.session] += not job.finished
        return [job for _, job in sorted(waiting, key=lambda item: item[0])]

    def _hire(self) -> None:
        """As many slots as the queue needs and the engine can carry."""
        while len(self._queue()) > self._idle and len(self._slots) < self.workers:
            slot = threading.Thread(target=self._slot, name="jobs-slot", daemon=True)
            try:
                slot.start()
            except RuntimeError:  # the system has no thread left; the clock tries again
                return
            self._slots.add(slot)

    def _finish(self, job: Job, state: State, error: str | None = None) -> None:
        """The first to finish a job decides how it ended; the spec's memory is freed."""
        if not job.finished:
            job.state, job.error, job._ended, job._spec = state, error, time.monotonic(), b""
            self._changed.notify_all()
            try:
                self.ended(job)
            except Exception:
                log.exception("What was to be told of a job that has ended was not.")

    def _stop(self, job: Job) -> None:
        if job.state == "queued":
            self._finish(job, "stopped")
        elif job.state == "waiting":
            self._drop(job, "stopped")
        elif job.state == "running":
            job.state = "stopping"
            self._tell(job)

    def _drop(self, job: Job, state: State) -> None:
        """Finish a job now; its worker has a moment to give it up, then it is killed."""
        if not job.finished:
            self._finish(job, state)
            job._kill_at = time.monotonic() + CANCEL_GRACE
            self._tell(job)

    def _tell(self, job: Job) -> None:
        """Tell the worker what became of its job, as soon as it has the whole spec."""
        if job in self._serving and job._spec_sent and job._worker:
            with contextlib.suppress(OSError, ValueError):  # it died, or its pipe is closed already
                job._worker.stdin.write(encode(Event("stop" if job.state == "stopping" else "cancel")))
                job._worker.stdin.flush()

    def _watch(self) -> None:
        """The clock: leases, time caps, the end of workers that do not listen, and the memory that is left."""
        with self._changed:
            while not self._closed:
                try:
                    self._tick(time.monotonic())
                except Exception:  # whatever it is, the clock goes on
                    log.exception("The clock of the jobs missed a beat.")
                busy = self._serving or any(not job.finished for job in self._jobs.values())
                self._changed.wait(0.04 if busy else 60)

    def _tick(self, now: float) -> None:
        for job in list(self._jobs.values()):
            if job.finished:
                if now > job._renewed + KEEP_SECONDS:
                    del self._jobs[job.id]
            elif now > job._renewed + self.lease_seconds:
                job._latest.clear()
                self._drop(job, "expired")
        for job in self._serving:
            if not job.finished and not job.capped and job.seconds > job.max_seconds:
                job.capped, job._kill_at = True, now + CAP_GRACE
                self._stop(job)
            if now > job._kill_at and job._worker:
                self._finish(
                    job,
                    "failed",
                    f"The job reached its limit of {job.max_seconds:g} seconds and did not stop by "
                    "itself, so it was ended. What it had sent last is kept.",
                )
                job._worker.kill()
                job._killed = True
        self._hire()
        if self._crowded and not self._is_crowded():
            self._changed.notify_all()

    def _is_crowded(self) -> bool:
        """Whether memory is too scarce for one more job; those that have just begun are still taking theirs."""
        now = time.monotonic()
        starting = sum(now < job._taken + GROWING for job in self._serving)
        try:
            self._crowded = self.engine.crowded(starting)
        except Exception:
            log.exception("How much memory is left could not be told.")
            self._crowded = False
        return self._crowded

    def _slot(self) -> None:
        """One worker's thread: starts the worker, gives it jobs and reads what it sends, always."""
        worker: Worker | None = None
        kind = ""
        while job := self._next_job():
            try:
                needed = self.engine.kind(job.task)
                if worker and (worker.ended() or kind != needed):
                    _retire(worker)
                    worker = None
                worker, kind = worker or self.engine.start(needed, self.threads), needed
                error = self._serve(worker, job)
            except JobError as cause:
                error = str(cause)
            except (OSError, MemoryError) as cause:
                error = f"A worker process could not be started: {str(cause).rstrip('.')}."
            except BaseException as cause:  # whatever it is, the job ends and the slot goes on
                log.exception("A job ended in an error that nobody foresaw.")
                error = f"The job failed: {type(cause).__name__}. The server's log has the details."
                _retire(worker)
                worker = None
            with self._changed:
                self._serving.discard(job)
                self._finish(job, "failed" if error else "stopped" if job.state == "stopping" else "done", error)
                job._worker = None
            if worker and job._killed:
                _retire(worker)
                worker = None
        _retire(worker)

    def _next_job(self) -> Job | None:
        """Wait for a job; None when none came for `idle_seconds`, so that the slot ends."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(
                lambda: self._closed or (self._queue() and not self._is_crowded()), self.idle_seconds
            )
            self._idle -= 1
            if self._closed or not self._queue() or self._crowded:
                self._slots.discard(threading.current_thread())
                return None
            job = self._queue()[0]
            job.state, job._taken = "waiting", time.monotonic()
            self._serving.add(job)
            return job

    def _serve(self, worker: Worker, job: Job) -> str | None:
        """Run `job` on a worker and keep what it sends; returns a sentence when that fails, else None."""
        with self._changed:
            if job.finished:
                return None
            job._worker, spec = worker, job._spec
        # An error here means that the worker has died or cannot be understood: how it ended tells.
        with contextlib.suppress(OSError, MessageError, MemoryError):
            worker.stdin.write(spec)
            worker.stdin.flush()
            with self._changed:
                job._spec, job._spec_sent = b"", True
                if job.state not in ("waiting", "running"):
                    self._tell(job)
            while event := read(worker.stdout):
                if event.kind == END:
                    if event.data.get("gone"):
                        worker.end()
                    return event.data["error"]
                for array in event.arrays.values():
                    array.flags.writeable = False
                with self._changed:
                    if event.kind == BEGIN:
                        self._begin(job)
                    elif not job.finished:
                        job._latest[event.kind] = event
        return worker.end()

    def _begin(self, job: Job) -> None:
        """The worker's first sign of life: from now on the time of the job counts."""
        if job.state == "waiting":
            job.state, job._started = "running", time.monotonic()
            self._changed.notify_all()


def _retire(worker: Worker | None) -> None:
    """Make sure that a worker has ended; one that does not end in order costs nobody a job."""
    if worker:
        try:
            worker.end()
        except Exception:
            log.exception("A worker did not end in order.")
            with contextlib.suppress(Exception):
                worker.kill()
