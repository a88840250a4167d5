import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explorer.hardware.machine import available_cores
from explorer.jobs import Event, Job, JobManager, JobRefused, manager, worker
from explorer.jobs.events import MAX_MESSAGE_BYTES, MessageError, encode, read
from tests.unit.jobs.job_tasks import TASKS

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def make_manager(monkeypatch):
    """Makes managers whose workers know the test tasks, and closes them."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    made = []

    def make(**settings) -> JobManager:
        made.append(JobManager(TASKS, **({"workers": 2} | settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()
        assert not one._slots


def wait_for(condition, seconds: float = 20.0):
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


# Messages

numbers = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
dtypes = st.sampled_from(["<f4", "<f8", "<i8", "<i4", "<i2", "u1", ">f4", ">i8"]).map(np.dtype)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
events = st.builds(
    Event,
    st.text(),
    st.dictionaries(st.text(), values, max_size=4),
    st.dictionaries(st.text(), arrays, max_size=3),
    st.integers(min_value=0),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(events, max_size=3))
def test_messages_round_trip(sent):
    stream = io.BytesIO(b"".join(map(encode, sent)))
    for one in sent:
        got = read(stream)
        assert (got.kind, got.data, got.number) == (one.kind, one.data, one.number)
        assert list(got.arrays) == list(one.arrays)
        for name, array in one.arrays.items():
            assert got.arrays[name].dtype == array.dtype.newbyteorder("<")
            np.testing.assert_array_equal(got.arrays[name], array, strict=False)
            assert got.arrays[name].shape == array.shape
            assert got.arrays[name].flags.writeable
    assert read(stream) is None


def test_transposed_and_sliced_arrays_keep_their_values():
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    got = read(io.BytesIO(encode(Event("a", {}, {"t": array.T, "s": array[:, ::2, 1:]}))))
    np.testing.assert_array_equal(got.arrays["t"], array.T)
    np.testing.assert_array_equal(got.arrays["s"], array[:, ::2, 1:])


@settings(deadline=None, max_examples=60)
@given(events, st.data())
def test_a_message_cut_short_is_an_error(sent, data):
    message = encode(sent)
    cut = data.draw(st.integers(1, len(message) - 1))
    with pytest.raises(MessageError):
        read(io.BytesIO(message[:cut]))


@settings(deadline=None, max_examples=60)
@given(events, st.data())
def test_a_corrupt_message_is_an_event_or_an_error(sent, data):
    message = bytearray(encode(sent))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageError):
        assert isinstance(read(io.BytesIO(message)), Event)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_any_header_is_an_event_or_an_error(header):
    prefix = len(header).to_bytes(4, "little") + bytes(4)
    with contextlib.suppress(MessageError):
        assert isinstance(read(io.BytesIO(prefix + header)), Event)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"1" * 5000,
        b'["a", 1, {}, [["x", "float32", [-1]]]]',
        b'["a", 1, {}, [["x", "float32", [1e9]]]]',
        b'["a", 1, {}, [["x", "float32", [1000000000000, 1000000000000]]]]',
        b'["a", 1, {}, [["x", "object", [0]]]]',
        b'["a", 1, {}, 5]',
        b'{"a": 1, "b": 2, "c": 3, "d": 4}',
    ],
)
def test_hostile_headers_are_errors(header):
    with pytest.raises(MessageError):
        read(io.BytesIO(len(header).to_bytes(4, "little") + bytes(4) + header))


def test_messages_are_bounded():
    with pytest.raises(MessageError):
        encode(Event("a", {}, {"x": np.zeros(MAX_MESSAGE_BYTES // 4 + 1, np.float32)}))
    with pytest.raises(MessageError):
        read(io.BytesIO(b"\xff" * 100))
    with pytest.raises(TypeError, match="complex"):
        encode(Event("a", {}, {"x": np.zeros(2, complex)}))


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


def test_what_a_task_prints_or_reads_stays_out_of_the_protocol(make_manager, capfd):
    jobs = make_manager(workers=1)
    job = finish(jobs.submit("a", "print_and_read", {}))
    assert job.state == "done"
    assert job.latest["read"].data == {"stdin": ""}
    assert finish(jobs.submit("a", "echo", {"still": "there"})).latest["echo"].data == {"still": "there"}
    jobs.close()
    assert "bytes from a task" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (
            "fail",
            "The job failed: ZeroDivisionError: the step size is zero. The server's log has the details.",
        ),
        ("refuse", "The loss is not a number any more: lower the learning rate."),
        ("missing", "no_such_function"),
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
    assert ("start" in job.latest) == (task in ("fail", "refuse", "leave"))
    assert finish(jobs.submit("a", "echo", {})).state == "done"


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


def test_a_worker_that_cannot_start_fails_the_job(make_manager, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    job = finish(make_manager().submit("a", "echo", {}))
    assert job.state == "failed"
    assert job.error.startswith("A worker process could not be started")


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


@pytest.mark.parametrize(("quota", "cores"), [("max", 8), ("150000", 2), ("20000", 1), ("9900000", 8)])
def test_a_container_quota_bounds_the_cores(monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(Path, "read_text", lambda _: f"{quota} 100000\n")
    assert available_cores() == cores


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


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system has no waitid")
def test_a_worker_killed_while_idle_costs_no_job(make_manager):
    jobs = make_manager(workers=1)
    pid = finish(jobs.submit("a", "describe_worker", {})).latest["worker"].data["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its exit code is not taken
    assert finish(jobs.submit("a", "describe_worker", {})).state == "done"


SERVER = """
import sys, time
from explorer.jobs import JobManager
job = JobManager({"task": "job_tasks:" + sys.argv[1]}).submit("a", "task", {"seconds": 50})
while not job.latest:
    time.sleep(0.01)
print(next(iter(job.latest.values())).data["pid"], flush=True)
if sys.argv[2] == "stay":
    time.sleep(50)
"""


@pytest.mark.parametrize("task", ["sleep", "count"])
@pytest.mark.parametrize("how", ["stay", "leave"])
def test_a_worker_ends_with_its_server(task, how):
    path = os.pathsep.join([str(HERE), str(HERE.parents[2])])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, task, how],
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
