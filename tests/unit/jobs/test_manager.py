"""What every engine must keep: each test runs on this machine's own processes, and on a cluster of two machines."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from explorer.jobs import Job, JobRefused, manager
from explorer.jobs.events import MAX_MESSAGE_BYTES
from tests.unit.jobs.following import event, finish, gone, wait_for
from tests.unit.jobs.machines import HERE, ROOT

pytestmark = pytest.mark.timeout(120)


# Running


def test_spec_in_events_out(make_manager):
    sent = {"points": np.arange(6, dtype=np.float32).reshape(3, 2), "labels": np.zeros((0,), np.int64)}
    job = finish(make_manager().submit("a", "echo", {"text": "é", "rate": 1e-3, "list": [1, None]}, sent))
    echo = job.latest["echo"]
    assert job.state == "done"
    assert job.error is None
    assert echo.data == job.params
    assert echo.number == 1
    np.testing.assert_array_equal(echo.arrays["points"], sent["points"] + 1)
    assert echo.arrays["labels"].dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        echo.arrays["points"][0] = 0


def test_the_last_event_of_each_kind_arrives(make_manager):
    job = finish(make_manager().submit("a", "count", {"to": 300, "pause": 0}))
    assert job.latest["number"].data["number"] == 300
    assert job.latest["number"].number == 300
    assert job.latest["final"].number == 1
    assert job.seconds > 0


def test_a_worker_is_reused_and_ends_when_idle(make_manager):
    jobs = make_manager(workers=1, idle_seconds=0.3)
    pids = {finish(jobs.submit("a", "describe_worker", {})).latest["worker"].data["pid"] for _ in range(3)}
    assert len(pids) == 1
    wait_for(lambda: gone(*pids))
    wait_for(lambda: not jobs._slots)
    assert finish(jobs.submit("a", "echo", {})).state == "done"


def test_no_page_code_runs_in_a_worker(make_manager, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue.py").write_text("raise ImportError('the working directory must not be searched')")
    worker = finish(make_manager(threads=3).submit("a", "describe_worker", {})).latest["worker"].data
    assert worker["main"] == "explorer.jobs.worker"
    loaded = {name.split(".")[0] for name in worker["modules"]}
    assert not loaded & {"streamlit", "pages", "Home", "torch", "test_jobs"}
    assert not any(name.startswith("explorer.ui") for name in worker["modules"])
    assert worker["threads"] == "3"
    if worker["nice"] is not None:
        assert worker["nice"] >= min(19, os.nice(0) + 5)


def test_what_a_task_prints_or_reads_stays_out_of_the_protocol(make_manager, engine, capfd):
    jobs = make_manager(workers=1)
    job = finish(jobs.submit("a", "print_and_read", {}))
    assert job.state == "done"
    assert job.latest["read"].data == {"stdin": ""}
    assert finish(jobs.submit("a", "echo", {"still": "there"})).latest["echo"].data == {"still": "there"}
    jobs.close()
    assert engine or "bytes from a task" in capfd.readouterr().err  # else it is in the log of Ray's actor


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (
            "fail",
            "The job failed: ZeroDivisionError: the step size is zero. The server's log has the details.",
        ),
        ("refuse", "The loss is not a number any more: lower the learning rate."),
        ("missing", "no_such_function"),
        ("need_an_asset", "needs the app's file assets/no-such-file, which is missing"),
        ("unsendable", "TypeError"),
        ("leave", "ended unexpectedly (exit code 7)"),
    ],
)
def test_an_error_becomes_a_sentence(make_manager, task, sentence):
    jobs = make_manager(workers=1)
    job = finish(jobs.submit("a", task, {}))
    assert job.state == "failed"
    assert sentence in job.error
    assert "Traceback" not in job.error
    assert ("start" in job.latest) == (task in ("fail", "refuse", "leave", "need_an_asset"))
    assert finish(jobs.submit("a", "echo", {})).state == "done"


def test_a_flood_leaves_only_the_newest(make_manager):
    jobs = make_manager(workers=1)
    finish(jobs.submit("a", "flood", {"events": 1, "size": 1}))
    before = psutil.Process().memory_info().rss
    job = jobs.submit("a", "flood", {"events": 2000, "size": 100_000})  # 800 MB in all, never looked at
    finish(job)
    assert psutil.Process().memory_info().rss - before < 60e6
    assert list(job.latest) == ["step"]
    newest = job.latest["step"]
    assert newest.number == 2000
    assert newest.data == {"step": 1999}
    assert (newest.arrays["values"] == 1999).all()


def test_kinds_and_bytes_are_bounded(make_manager):
    jobs = make_manager(workers=1)
    assert finish(jobs.submit("a", "many_kinds", {"kinds": 200})).state == "done"
    job = finish(jobs.submit("a", "many_kinds", {"kinds": 201}))
    assert job.state == "failed"
    assert "more than 200 kinds" in job.error
    assert len(job.latest) <= 200
    with pytest.raises(JobRefused, match="too much data"):
        jobs.submit("a", "echo", {}, {"x": np.zeros(MAX_MESSAGE_BYTES, np.uint8)})


# The queue


def test_position_and_order(make_manager):
    jobs = make_manager(workers=1)
    first = jobs.submit("a", "count", {})
    wait_for(lambda: first.state == "running")
    waiting = [jobs.submit(session, "count", {"to": 3}) for session in "bcd"]
    assert [job.position for job in (first, *waiting)] == [0, 1, 2, 3]
    assert [job.state for job in waiting] == ["queued"] * 3
    waiting[1].cancel()
    assert [job.position for job in waiting] == [1, 0, 2]
    first.stop()
    finish(waiting[2])
    assert waiting[0].state == "done"
    assert waiting[0]._ended <= waiting[2]._started


def test_a_second_job_waits_behind_everybodys_first(make_manager):
    jobs = make_manager(workers=1)
    first = jobs.submit("a", "count", {})
    second = jobs.submit("a", "count", {})
    other = jobs.submit("b", "count", {})
    wait_for(lambda: first.state == "running")
    assert (second.position, other.position) == (2, 1)
    first.cancel()
    assert second.position in (0, 1)


def test_a_session_has_a_limit(make_manager):
    jobs = make_manager(workers=1, per_session=2)
    first = jobs.submit("a", "count", {})
    jobs.submit("a", "count", {})
    with pytest.raises(JobRefused, match="already have 2 jobs"):
        jobs.submit("a", "count", {})
    jobs.submit("b", "count", {})
    first.cancel()
    jobs.submit("a", "count", {})


def test_the_queue_has_a_limit(make_manager, monkeypatch):
    monkeypatch.setattr(manager, "MAX_UNFINISHED", 3)
    jobs = make_manager(workers=1)
    for session in "abc":
        jobs.submit(session, "count", {})
    with pytest.raises(JobRefused, match="too many jobs"):
        jobs.submit("d", "count", {})


def test_thirty_students_on_two_workers(make_manager):
    jobs = make_manager(workers=2)
    submitted: list[Job] = []

    def student(name: str) -> None:
        submitted.append(jobs.submit(name, "count", {"to": 5}))

    threads = [threading.Thread(target=student, args=(f"student {n}",)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(submitted) == 30
    running = 0
    while not all(job.finished for job in submitted):
        running = max(running, sum(job.state == "running" for job in submitted))
        time.sleep(0.002)
    assert running <= 2
    assert {job.state for job in submitted} == {"done"}
    assert {job.latest["final"].data["number"] for job in submitted} == {5}
    assert len({job.latest["number"].data["pid"] for job in submitted}) <= 2


def test_two_managers_side_by_side(make_manager):
    left, right = make_manager(workers=1), make_manager(workers=1)
    jobs = [one.submit("a", "count", {}) for one in (left, right)]
    pids = {event(job, "number").data["pid"] for job in jobs}
    assert len(pids) == 2
    left.close()
    assert jobs[0].state == "cancelled"
    with pytest.raises(JobRefused, match="shutting down"):
        left.submit("a", "echo", {})
    jobs[1].stop()
    assert finish(jobs[1]).state == "stopped"


# Stopping


def test_stop_keeps_the_final_events(make_manager):
    job = make_manager().submit("a", "count", {})
    event(job, "number")
    job.stop()
    assert job.state in ("stopping", "stopped")
    assert finish(job).state == "stopped"
    assert job.latest["final"].data["number"] == job.latest["number"].data["number"]
    assert not job.capped


def test_stopping_a_job_whose_worker_is_just_starting(make_manager):
    job = make_manager().submit("a", "count", {}, {"large": np.zeros(1_000_000, np.float32)})
    wait_for(lambda: job.state == "running")
    job.stop()
    assert finish(job).state == "stopped"
    assert "final" in job.latest


def test_a_stop_does_not_reach_the_next_job(make_manager):
    jobs = make_manager(workers=1)
    for _ in range(20):
        first = jobs.submit("a", "count", {"to": 2, "pause": 0})
        second = jobs.submit("a", "count", {"to": 4, "pause": 0.001})
        wait_for(lambda job=first: job.state != "queued")
        first.stop()
        assert finish(second).state == "done"
        assert second.latest["final"].data["number"] == 4


def test_stop_and_cancel_in_the_queue(make_manager):
    jobs = make_manager(workers=1)
    blocker = jobs.submit("a", "count", {})
    stopped, cancelled = jobs.submit("b", "count", {}), jobs.submit("c", "count", {})
    stopped.stop()
    cancelled.cancel()
    assert (stopped.state, cancelled.state) == ("stopped", "cancelled")
    assert stopped.seconds == 0
    blocker.cancel()
    stopped.cancel()
    assert stopped.state == "stopped"


@pytest.mark.parametrize("task", ["sleep", "hold_the_interpreter"])
def test_cancel_ends_a_long_c_call(make_manager, task):
    jobs = make_manager(workers=1)
    job = jobs.submit("a", task, {"seconds": 500})
    pid = event(job, "start").data["pid"]
    time.sleep(0.15)
    job.cancel()
    assert job.state == "cancelled"
    assert "start" in job.latest
    wait_for(lambda: gone(pid), seconds=60)  # long before it would end by itself
    following = finish(jobs.submit("a", "describe_worker", {}))
    assert following.latest["worker"].data["pid"] != pid


def test_a_task_that_yields_is_cancelled_without_losing_its_worker(make_manager):
    jobs = make_manager(workers=1)
    job = jobs.submit("a", "count", {})
    pid = event(job, "number").data["pid"]
    job.cancel()
    newest = job.latest
    following = finish(jobs.submit("a", "describe_worker", {}))
    assert following.latest["worker"].data["pid"] == pid
    assert job.latest == newest
    assert job.error is None


def test_the_time_cap_keeps_the_result(make_manager):
    jobs = make_manager(workers=1, max_seconds=0.3)
    finish(jobs.submit("a", "echo", {}))  # the worker has started
    job = finish(jobs.submit("a", "count", {}, max_seconds=100))
    assert job.state == "stopped"
    assert job.capped
    assert job.error is None
    assert "final" in job.latest


def test_a_job_that_ignores_the_time_cap_is_ended(make_manager, monkeypatch):
    monkeypatch.setattr(manager, "CAP_GRACE", 0.2)
    jobs = make_manager(workers=1)
    finish(jobs.submit("a", "echo", {}))  # the worker has started
    job = finish(jobs.submit("a", "sleep", {"seconds": 50}, max_seconds=0.3))
    assert job.state == "failed"
    assert job.capped
    assert "limit of 0.3 seconds" in job.error
    assert "start" in job.latest
    assert finish(jobs.submit("a", "echo", {})).state == "done"


# Leases and sessions


def test_an_abandoned_session_frees_its_worker(make_manager):
    jobs = make_manager(workers=1, lease_seconds=20)
    job, waiting = jobs.submit("a", "sleep", {"seconds": 50}), jobs.submit("a", "count", {})
    pid = event(job, "start").data["pid"]
    jobs.lease_seconds = 0.2
    finish(job)
    finish(waiting)
    assert (job.state, waiting.state) == ("expired", "expired")
    assert job.latest == {}
    wait_for(lambda: gone(pid))
    jobs.lease_seconds = 20
    assert finish(jobs.submit("b", "echo", {})).state == "done"


def test_a_renewed_job_lives_on(make_manager):
    job = make_manager(lease_seconds=1).submit("a", "count", {})
    for _ in range(30):
        job.renew()
        time.sleep(0.05)
    assert job.state == "running"
    assert finish(job).state == "expired"


def test_a_reload_finds_the_job_and_others_do_not(make_manager):
    jobs = make_manager()
    job, other = jobs.submit("a", "count", {}), jobs.submit("b", "echo", {})
    assert jobs.jobs("a") == [job]
    assert jobs.get("a", job.id) is job
    assert jobs.get("b", job.id) is None
    assert jobs.get("a", "nonsense") is None
    assert jobs.jobs("c") == []
    jobs.forget("a", job.id)
    assert jobs.jobs("a") == [job]
    job.cancel()
    jobs.forget("b", job.id)
    assert jobs.jobs("a") == [job]
    jobs.forget("a", job.id)
    assert jobs.jobs("a") == []
    assert jobs.jobs("b") == [other]


def test_finished_jobs_do_not_pile_up(make_manager, monkeypatch):
    monkeypatch.setattr(manager, "KEEP_FINISHED", 3)
    jobs = make_manager(workers=1)
    done = [finish(jobs.submit("a", "echo", {"n": n})) for n in range(6)]
    assert jobs.jobs("a") == done[-3:]
    other = finish(jobs.submit("a", "describe_worker", {}))
    assert jobs.jobs("a") == [*done[-3:], other], "a task does not drop what another has made"
    monkeypatch.setattr(manager, "KEEP_SECONDS", 0.0)
    jobs.submit("b", "echo", {})
    wait_for(lambda: jobs.jobs("a") == [])


# Deaths


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no signals on this system")
def test_a_killed_worker_is_reported_and_replaced(make_manager):
    jobs = make_manager(workers=1)
    job, following = jobs.submit("a", "count", {}), jobs.submit("b", "describe_worker", {})
    pid = event(job, "number").data["pid"]
    os.kill(pid, signal.SIGKILL)
    finish(job)
    assert job.state == "failed"
    assert job.error == (
        "The worker process was stopped from outside (signal 9; the machine may have run out of memory). "
        "What it had sent last is kept: you can start again."
    )
    assert job.latest["number"].data["number"] > 0
    assert finish(following).latest["worker"].data["pid"] != pid


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no signals on this system")
def test_all_workers_killed_at_once(make_manager):
    jobs = make_manager(workers=3)
    running = [jobs.submit(session, "count", {}) for session in "abc"]
    following = [jobs.submit(session, "echo", {}) for session in "abc"]
    for pid in [event(job, "number").data["pid"] for job in running]:
        os.kill(pid, signal.SIGKILL)
    assert [finish(job).state for job in running] == ["failed"] * 3
    assert all("signal 9" in job.error for job in running)
    assert [finish(job).state for job in following] == ["done"] * 3


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system has no waitid")
def test_a_worker_killed_while_idle_costs_no_job(make_manager, engine):
    jobs = make_manager(workers=1)
    pid = finish(jobs.submit("a", "describe_worker", {})).latest["worker"].data["pid"]
    os.kill(pid, signal.SIGKILL)
    if engine:
        wait_for(lambda: gone(pid))
        time.sleep(1)  # the server hears of it a little later
    else:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its exit code is not taken
    assert finish(jobs.submit("a", "describe_worker", {})).state == "done"


SERVER = """
import sys, time
from explorer.jobs import JobManager
from explorer.jobs.cluster import Cluster
engine = Cluster(sys.argv[3]) if sys.argv[3] else None
job = JobManager({"task": "job_tasks:" + sys.argv[1]}, engine=engine).submit("a", "task", {"seconds": 50})
while not job.latest:
    time.sleep(0.01)
print(next(iter(job.latest.values())).data["pid"], flush=True)
if sys.argv[2] == "stay":
    time.sleep(50)
"""


@pytest.mark.parametrize("task", ["sleep", "count"])
@pytest.mark.parametrize("how", ["stay", "leave"])
def test_a_worker_ends_with_its_server(engine, task, how):
    path = os.pathsep.join([str(HERE), str(ROOT)])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, task, how, engine.address if engine else ""],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )
    with server:
        pid = int(server.stdout.readline())
        if how == "stay":
            server.kill()
        server.wait(timeout=20)
    wait_for(lambda: gone(pid))


def test_closing_ends_every_worker(make_manager):
    jobs = make_manager(workers=2)
    running = [jobs.submit(session, "sleep", {"seconds": 50}) for session in "ab"]
    waiting = jobs.submit("c", "sleep", {"seconds": 50})
    pids = [event(job, "start").data["pid"] for job in running]
    jobs.close()
    assert {job.state for job in (*running, waiting)} == {"cancelled"}
    wait_for(lambda: all(gone(pid) for pid in pids))
    jobs.close()
