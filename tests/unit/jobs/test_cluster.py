"""What only a cluster can do wrong: machines that are busy, missing, silent or dead, and a gateway that is."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator

import psutil
import pytest

from explorer.jobs import cluster as server_side
from explorer.jobs import gateway
from explorer.jobs.cluster import LOST, Cluster, versions
from tests.unit.jobs.following import event, finish, gone, wait_for
from tests.unit.jobs.machines import NO_RAY, ray_cluster

pytestmark = [pytest.mark.timeout(180), pytest.mark.skipif(bool(NO_RAY), reason=NO_RAY)]
MACHINE_LOST = "The machine that ran the job was lost. What it had sent last is kept: you can start again."


@pytest.fixture(scope="module")
def machines(ray_token: None) -> Iterator:
    """A head and two machines, one of two cores and one of one; what is silent is given up soon."""
    with ray_cluster({"num_cpus": 2}, {"num_cpus": 1}) as machines:
        yield machines


@pytest.fixture
def engine(machines) -> Iterator[Cluster]:
    engine = Cluster(machines.address, lost_after=gateway.ASK_SECONDS + 2)
    yield engine
    engine.close()


@pytest.fixture
def make_manager(managers, engine):
    return managers(engine)


def processes_of(node) -> list[psutil.Process]:
    """Those of one machine of the cluster: its raylet, its actors and their workers."""
    raylet = next(info[0].process for name, info in node.all_processes.items() if name == "raylet")
    first = psutil.Process(raylet.pid)
    return [first, *first.children(recursive=True)]


def test_what_the_cluster_has_is_told(engine):
    wait_for(lambda: engine.capacity == 3)
    assert 0 < engine.memory_of_job < psutil.virtual_memory().total


def test_a_job_that_waits_for_a_machine_says_so_and_its_time_counts_later(make_manager):
    jobs = make_manager(workers=3, threads=2, max_seconds=5, idle_seconds=0.5)
    first = jobs.submit("a", "count", {})
    event(first, "number")
    waiting, other = jobs.submit("b", "count", {"to": 3}), jobs.submit("c", "count", {})
    wait_for(lambda: other.state == "waiting")
    assert {job.hindrance for job in (waiting, other)} == {"Waiting for a machine."}
    assert waiting.seconds == 0
    other.cancel()
    assert other.state == "cancelled"
    assert finish(first).capped  # its five seconds are over
    assert waiting.seconds < 5
    assert finish(waiting).state == "done"
    assert not waiting.capped


def test_a_job_that_is_stopped_while_it_waits_for_a_machine_ends_at_once(make_manager):
    jobs = make_manager(workers=2, threads=2)
    first = jobs.submit("a", "count", {})
    event(first, "number")
    waiting = jobs.submit("b", "count", {})
    wait_for(lambda: waiting.state == "waiting")
    waiting.stop()
    assert (waiting.state, waiting.latest) == ("stopped", {})
    following = jobs.submit("c", "echo", {})
    first.cancel()
    assert finish(following).state == "done"


@pytest.mark.parametrize(("needs", "said"), [({"threads": 64}, "64 cores"), ({"threads": 1}, "1 core and 0.5 GPU")])
def test_what_no_machine_can_ever_give_is_a_sentence(managers, engine, needs, said):
    engine._gpus = {"echo": 0.5} if "GPU" in said else {}
    job = finish(managers(engine)(**needs).submit("a", "echo", {}))
    assert job.error == f"No machine of the cluster has {said}. Ask whoever runs this course."


def test_some_tasks_stay_on_the_servers_own_machine(managers, engine):
    engine._here = ("describe_worker",)
    jobs = managers(engine)(workers=1)
    own, parents = psutil.Process(), []
    for task in ("describe_worker", "count", "describe_worker"):
        job = finish(jobs.submit("a", task, {"to": 20}))
        kind = "worker" if task == "describe_worker" else "number"
        parents.append(job.latest[kind].data["pid"] in {child.pid for child in own.children()})
    assert parents[1] is False
    assert job.state == "done"


def test_a_gateway_that_is_killed_fails_its_jobs_and_is_started_anew(make_manager, engine):
    jobs = make_manager(workers=2)
    running = [jobs.submit(session, "count", {}) for session in "ab"]
    pids = [event(job, "number").data["pid"] for job in running]
    engine._gateway.kill()
    assert [finish(job).error for job in running] == [LOST, LOST]
    assert all(job.latest["number"].data["number"] > 0 for job in running)
    wait_for(lambda: all(map(gone, pids)))
    assert finish(jobs.submit("a", "echo", {})).state == "done"


def test_a_machine_that_is_killed_in_the_middle_of_a_job(machines, make_manager):
    doomed = machines.add_node(num_cpus=5)
    jobs = make_manager(workers=2, threads=5)
    job = jobs.submit("a", "count", {})
    event(job, "number")
    machines.remove_node(doomed, allow_graceful=False)
    assert finish(job).error == MACHINE_LOST
    assert job.latest["number"].data["number"] > 0
    jobs.threads = 1
    assert finish(jobs.submit("a", "echo", {})).state == "done"


def test_a_machine_that_falls_silent_is_given_up(machines, make_manager):
    silent = machines.add_node(num_cpus=5)
    jobs = make_manager(workers=2, threads=5)
    job = jobs.submit("a", "count", {})
    event(job, "number")
    stopped = processes_of(silent)
    for process in stopped:
        process.suspend()
    try:
        assert finish(job).error == MACHINE_LOST
        jobs.threads = 1
        assert finish(jobs.submit("a", "echo", {})).state == "done"
    finally:
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        machines.remove_node(silent, allow_graceful=False)


def test_machines_that_run_other_code_are_refused(machines, managers, monkeypatch, tmp_path):
    copy = tmp_path / "explorer"
    shutil.copytree(server_side.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "another.py").write_text("# a newer version\n")
    monkeypatch.setattr(server_side, "with_explorer", lambda: os.environ | {"PYTHONPATH": str(tmp_path)})
    engine = Cluster(machines.address)
    try:
        job = finish(managers(engine)().submit("a", "echo", {}))
    finally:
        engine.close()
    theirs = job.error.partition("Diffusion Explorer ")[2][:12]
    assert theirs == versions()["Diffusion Explorer"]
    assert job.error.startswith("The cluster does not run what this server runs: Diffusion Explorer ")


def test_two_hundred_jobs_of_two_hundred_sessions_are_drained_in_turn(make_manager):
    jobs = make_manager(workers=3)
    submitted = [jobs.submit(f"student {number}", "count", {"to": 2, "pause": 0}) for number in range(200)]
    wait_for(lambda: all(job.finished for job in submitted), seconds=150)
    assert {job.state for job in submitted} == {"done"}
    begun = sorted(range(200), key=lambda number: submitted[number]._taken)
    assert max(abs(place - number) for place, number in enumerate(begun)) <= 3
    assert len({job.latest["number"].data["pid"] for job in submitted}) <= 3


def test_a_head_that_is_killed_ends_its_jobs_and_no_server(ray_token, managers):
    with ray_cluster({"num_cpus": 1}, gcs_rpc_server_reconnect_timeout_s="2") as machines:
        engine = Cluster(address := machines.address)
        jobs = managers(engine)(workers=1)
        job = jobs.submit("a", "count", {})
        event(job, "number")
        machines.head_node.kill_gcs_server(check_alive=False)
        wait_for(lambda: job.finished, seconds=90)
        assert job.error in (LOST, MACHINE_LOST)
        following = jobs.submit("a", "echo", {})
        wait_for(lambda: following.finished, seconds=90)
        assert following.error.startswith(f"The cluster does not answer at {address}: ")
        engine.close()


def test_a_cluster_that_is_not_there_is_a_sentence(managers):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        engine = Cluster(f"127.0.0.1:{nobody.getsockname()[1]}")
        jobs = managers(engine)(workers=1)
        for _ in range(2):
            job = finish(jobs.submit("a", "echo", {}))
            assert job.error.startswith(f"The cluster does not answer at {engine.address}: ")
        engine.close()


def test_the_server_never_imports_ray():
    import subprocess
    import sys

    code = "import sys; import explorer.ui.work, explorer.jobs.cluster; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=server_side.PACKAGE.parent).returncode == 0


# What the gateway works out, without a cluster


def node(alive=True, **has):
    return {"Alive": alive, "Resources": has}


def test_what_fits_where():
    nodes = [node(CPU=2.0), node(CPU=4.0, GPU=1.0, alive=False), node(GPU=1.0), node()]
    assert gateway.fits(nodes, {"num_cpus": 2, "num_gpus": 0})
    assert not gateway.fits(nodes, {"num_cpus": 3, "num_gpus": 0})
    assert not gateway.fits(nodes, {"num_cpus": 1, "num_gpus": 0.5})
    assert gateway.fits([*nodes, node(CPU=1.0, GPU=1.0)], {"num_cpus": 1, "num_gpus": 0.5})
    assert not gateway.fits([], {"num_cpus": 1, "num_gpus": 0})


def test_what_the_server_is_told():
    nodes = [node(CPU=4.0, memory=8e9), node(CPU=1.0, memory=1e9), node(memory=5e9), node(CPU=9.0, alive=False)]
    assert gateway.about(nodes) == {"cores": 5, "memory_of_job": 10**9}
    assert gateway.about([]) == {"cores": 0, "memory_of_job": None}


def test_what_differs_is_named():
    assert gateway.different({"Python": "3.11"}, {"Python": "3.11", "more": "1"}) == ""
    assert gateway.different({"Python": "3.11", "ray": "2"}, {"Python": "3.12"}) == (
        "Python 3.12 there and 3.11 here, ray None there and 2 here"
    )
