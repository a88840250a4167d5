"""Workers as processes of this machine: what they may take, and that no error of theirs costs more than its job."""

import io
import sys
import threading
import time

import pytest

from explorer.jobs import Event, JobError, manager, process, worker
from explorer.jobs.process import Processes
from tests.unit.jobs.following import event, finish, wait_for


@pytest.fixture
def make_manager(managers):
    return managers()


def test_a_worker_that_cannot_start_fails_the_job(make_manager, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    job = finish(make_manager().submit("a", "echo", {}))
    assert job.state == "failed"
    assert job.error.startswith("A worker process could not be started")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("the matrix is singular", "ZeroDivisionError: the matrix is singular. The"),
        (
            "The matrix is singular. (error code: 62).",
            "ZeroDivisionError: The matrix is singular. (error code: 62). The",
        ),
        ("what is left: ", "ZeroDivisionError: what is left. The"),
        ("", "ZeroDivisionError. The"),
    ],
)
def test_an_error_that_ends_like_a_sentence_is_joined_to_the_next(message, said):
    spec = Event("run", {"target": "tests.unit.jobs.job_tasks:fail", "params": {"message": message}})
    error = worker.run(worker.Order(spec, threading.Event(), threading.Event()), worker.Outbox(io.BytesIO()))
    assert error == f"The job failed: {said} server's log has the details."


def test_a_job_that_takes_too_much_memory_is_ended(make_manager):
    jobs = make_manager(engine=Processes(workers=1, memory_of_job=150 * 2**20))
    modest = finish(jobs.submit("a", "take_memory", {"bytes": 32 * 2**20}))
    assert (modest.state, modest.error) == ("done", None)
    greedy, following = jobs.submit("a", "take_memory", {"bytes": 2**33}), jobs.submit("b", "echo", {})
    assert finish(greedy).state == "failed"
    assert greedy.error.startswith("The job needed more than 150 MB of memory, the most that one may take here")
    assert greedy.latest["held"].data["bytes"] < 400 * 2**20
    assert finish(following).state == "done"


def test_new_jobs_wait_while_memory_is_scarce_and_say_so(make_manager, monkeypatch):
    free = 10 * 2**30
    monkeypatch.setattr(process, "free_memory", lambda: free)
    monkeypatch.setattr(manager, "GROWING", 0.0)
    jobs = make_manager(workers=2, idle_seconds=0.2)
    running = jobs.submit("a", "count", {})
    event(running, "number")
    free = process.WORKER_BYTES - 1
    waiting = [jobs.submit(session, "echo", {}) for session in "bc"]
    wait_for(lambda: waiting[0].hindrance)
    time.sleep(0.5)  # longer than a slot waits for work
    assert [job.state for job in (running, *waiting)] == ["running", "queued", "queued"]
    assert waiting[0].hindrance == "Waiting until the server has memory free."
    assert [job.position for job in waiting] == [1, 2]
    free = process.WORKER_BYTES
    assert [finish(job).state for job in waiting] == ["done", "done"]
    assert running.state == "running"


def test_jobs_that_have_just_begun_are_counted_with_the_memory_they_will_take(make_manager, monkeypatch):
    monkeypatch.setattr(process, "free_memory", lambda: 2 * process.WORKER_BYTES - 1)  # as before the first has grown
    jobs = make_manager(workers=2)
    first = jobs.submit("a", "count", {})
    event(first, "number")
    second = jobs.submit("b", "echo", {})
    wait_for(lambda: second.hindrance)
    assert second.state == "queued"
    first.stop()
    assert finish(second).state == "done"


@pytest.mark.parametrize(
    ("cores", "memory", "workers"),
    [(2, 2.7, 2), (2, 1.0, 1), (8, 4.0, 8), (16, 4.0, 9), (64, None, 64), (4, 0.5, 1)],
)
def test_workers_follow_cores_and_memory(monkeypatch, cores, memory, workers):
    monkeypatch.setattr(process, "available_cores", lambda: cores)
    monkeypatch.setattr(process, "allowed_memory", lambda: memory and int(memory * 2**30))
    engine = Processes()
    assert engine.capacity == workers
    if memory is None:
        assert engine.memory_of_job is None
    else:
        assert engine.memory_of_job >= process.WORKER_BYTES
        assert workers == 1 or workers * engine.memory_of_job + process.SERVER_BYTES <= memory * 2**30
    assert Processes(workers=3).capacity == 3
    assert Processes(memory_of_job=5).memory_of_job == 5


class Erratic(Processes):
    """Fails in some way that nobody foresaw, once each, then starts workers like any other."""

    def __init__(self, *errors):
        super().__init__(workers=1)
        self.errors = list(errors)

    def start(self, kind, threads):
        worker = super().start(kind, threads)
        if self.errors:
            error = self.errors.pop(0)
            if error == "read":
                worker.stdout = None  # reading from it is an error that no worker makes
            elif error == "end":
                worker.kill()
                worker.end = lambda: 1 / 0
            else:
                worker.kill()
                raise error
        return worker


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("odd"), "The job failed: RuntimeError."),
        (SystemExit(3), "The job failed: SystemExit."),
        (KeyboardInterrupt(), "The job failed: KeyboardInterrupt."),
        (BlockingIOError("full"), "A worker process could not be started: full."),
        (JobError("No machine is there."), "No machine is there."),
        ("read", "The job failed: AttributeError."),
        ("end", "The job failed: ZeroDivisionError."),
    ],
)
def test_no_error_leaves_a_job_running_for_ever(make_manager, error, said):
    jobs = make_manager(engine=Erratic(error), workers=1)
    job, following = jobs.submit("a", "echo", {}), jobs.submit("b", "echo", {})
    assert finish(job).state == "failed"
    assert job.error.startswith(said)
    assert finish(following).state == "done"


def test_the_clock_and_the_queue_survive_what_fails_in_them(make_manager, monkeypatch):
    told = []
    jobs = make_manager(workers=1, ended=lambda job: told.append(job) or 1 / 0, lease_seconds=1)
    failing = iter([True] * 3)
    monkeypatch.setattr(jobs.engine, "crowded", lambda starting: 1 / 0)
    monkeypatch.setattr(jobs, "_tick", lambda now, tick=jobs._tick: 1 / 0 if next(failing, False) else tick(now))
    job = jobs.submit("a", "count", {})
    assert finish(job).state == "expired"
    jobs.lease_seconds = 120
    assert finish(jobs.submit("a", "echo", {})).state == "done"
    assert [one.state for one in told] == ["expired", "done"]


def test_threads_that_cannot_be_started_only_delay(make_manager, monkeypatch):
    jobs = make_manager(workers=1)
    start, refused = threading.Thread.start, []

    def refuse(thread):
        if thread.name == "jobs-slot" and len(refused) < 3:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert finish(jobs.submit("a", "echo", {})).state == "done"
    assert len(refused) == 3


def test_workers_come_and_go_with_the_capacity_of_the_engine(make_manager):
    engine = Processes(workers=1)
    jobs = make_manager(engine=engine, workers=None)
    running = [jobs.submit(session, "count", {}) for session in "abc"]
    event(running[0], "number")
    assert [job.state for job in running[1:]] == ["queued"] * 2
    engine.capacity = 3
    for job in running:
        event(job, "number")
    assert jobs.workers == 3
