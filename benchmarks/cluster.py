"""Jobs on a cluster beside jobs on this machine: `python -m benchmarks cluster`.

The cluster is a real one of Ray's, with a head and a machine for every two workers, all on this machine: what crosses
the network elsewhere crosses the loopback here. The jobs of the drains sleep, so that they measure what waiting,
handing over and telling cost, and not how many cores this machine has.
"""

import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.protocol import cpu_seconds
from benchmarks.tables import percentile_95, table
from benchmarks.waiting import waits
from explorer.jobs import Event, Job, JobManager
from explorer.jobs.process import Engine, Processes
from tests.unit.jobs.machines import NO_RAY, asking_for_a_token, ray_cluster

TASKS = {name: f"benchmarks.cluster:{name}" for name in ("tick", "rest", "nothing")}
WORKERS = (1, 2, 4)
LARGE = 2**18  # values of an event that carries a megabyte
EVENTS, PAUSE = 100, 0.05
REST, RESTS = 0.25, 40  # seconds of a job that is drained, and how many there are
STUDENTS = (50, 200)
TRAINING = 3.0  # seconds, as the Geometry lab's button says


def tick(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """Events that say when they were sent, by the clock of this machine."""
    for _ in range(EVENTS):
        yield Event("tick", {"sent": time.time()}, {"values": np.zeros(params["values"], np.float32)})
        time.sleep(PAUSE)


def rest(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """A job that computes nothing."""
    time.sleep(REST)
    yield Event("rested")


def nothing(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """A job that is over at once."""
    yield Event("done")


def ended(*jobs: Job) -> None:
    """Wait for jobs. Raises RuntimeError where one has failed."""
    for job in jobs:
        while not job.finished:
            job.renew()
            time.sleep(0.001)
        if job.state != "done":
            raise RuntimeError(job.error or job.state)


def seconds(job: Callable[[], Job]) -> float:
    start = time.perf_counter()
    ended(job())
    return time.perf_counter() - start


def latencies(manager: JobManager, values: int) -> list[float]:
    """Seconds from each event's sending until a page could draw it."""
    job, seen, found = manager.submit("page", "tick", {"values": values}), 0, []
    while not job.finished:
        event = job.latest.get("tick")
        if event and event.number > seen:
            found.append(time.time() - event.data["sent"])
            seen = event.number
        time.sleep(0.001)
    ended(job)
    return found


def cancelled(manager: JobManager) -> float:
    """Seconds until a worker that never looks up is free for others, once its job was cancelled."""
    job = manager.submit("page", "tick", {"values": 1})
    while "tick" not in job.latest:
        time.sleep(0.001)
    start = time.perf_counter()
    job.cancel()
    ended(manager.submit("other", "nothing", {}))
    return time.perf_counter() - start


def measured(engine: Engine) -> list[float]:
    """A worker's start, a job on a warm worker, events small and large (median and 95 %), a cancel; milliseconds."""
    manager = JobManager(TASKS, workers=1, engine=engine)
    try:
        start = seconds(lambda: manager.submit("page", "nothing", {}))
        job = statistics.median(seconds(lambda: manager.submit("page", "nothing", {})) for _ in range(50))
        small, large = latencies(manager, 1), latencies(manager, LARGE)
        found = [start, job, statistics.median(small), percentile_95(small), statistics.median(large)]
        return [1000 * value for value in (*found, percentile_95(large), cancelled(manager))]
    finally:
        manager.close()


def drained(engine: Engine, workers: int) -> tuple[float, float]:
    """Seconds until as many sessions as RESTS have had a job of REST seconds each, on workers that had started; and
    CPU milliseconds of this process for each."""
    manager = JobManager(TASKS, workers=workers, engine=engine)
    try:
        ended(*(manager.submit(f"first {number}", "rest", {}) for number in range(workers)))
        start, spent = time.perf_counter(), time.process_time()
        ended(*(manager.submit(f"student {number}", "rest", {}) for number in range(RESTS)))
        return time.perf_counter() - start, 1000 * (time.process_time() - spent) / RESTS
    finally:
        manager.close()


def run(arguments: Namespace) -> Iterator[str]:
    """The two engines side by side, and what follows for a class."""
    if NO_RAY:
        yield f"{NO_RAY}\n"
        return
    from explorer.jobs.cluster import Cluster

    machines = [{"num_cpus": 2}] * (max(WORKERS) // 2)
    with tempfile.TemporaryDirectory() as folder, asking_for_a_token(Path(folder)), ray_cluster(*machines) as ray:
        cluster = Cluster(ray.address)
        try:
            ended(JobManager(TASKS, engine=cluster).submit("page", "nothing", {}))  # the gateway has joined
            engines: dict[str, Engine] = {"this machine": Processes(), "cluster": cluster}
            found = {name: measured(engine) for name, engine in engines.items()}
            drains = {name: [drained(engine, workers) for workers in WORKERS] for name, engine in engines.items()}
            assert cluster._gateway
            gateway = psutil.Process(cluster._gateway.pid)
            memory, cpu = gateway.memory_full_info().uss / 2**20, cpu_seconds(gateway)
        finally:
            cluster.close()
    what = ["a worker's first job", "a job on a warm worker", "an event", "95 % of events", "an event of 1 MB"]
    what += ["95 % of those", "the next job after a cancel"]
    rows: list[list[object]] = [[name, *(found[engine][row] for engine in found)] for row, name in enumerate(what)]
    yield table("Milliseconds until a page can show it", ["", *found], rows)
    rows = [
        [workers, RESTS * REST / workers, *(part for engine in drains for part in drains[engine][row])]
        for row, workers in enumerate(WORKERS)
    ]
    header = ["workers", "at best, s", *(part for name in drains for part in (f"{name}, s", "CPU a job, ms"))]
    yield table(f"{RESTS} sessions with a job of {REST} s each, and CPU of the server's process", header, rows)
    yield f"The gateway had {memory:.0f} MiB of its own and {cpu:.1f} s of CPU for all of this, its start included.\n"
    rows = []
    for workers in (2, 4, 8, 16, 32):
        beside = found["cluster"][1] / 1000
        both = [waits(students, workers, TRAINING + beside) for students in STUDENTS]
        rows.append([workers, *(value for waited in both for value in (statistics.median(waited), max(waited)))])
    header = ["workers", *(f"{students}, {which}" for students in STUDENTS for which in ("median", "last"))]
    title = f"Seconds that students wait who all press Train at once, {TRAINING:g} s and what a job costs beside it"
    yield table(title, header, rows)
