"""Managers for the tests of jobs, and a Ray cluster of two machines on this one."""

from collections.abc import Iterator

import pytest

from explorer.jobs import JobManager
from tests.unit.jobs.job_tasks import TASKS
from tests.unit.jobs.machines import HERE, NO_RAY, asking_for_a_token, ray_cluster

ENGINES = ["here", pytest.param("cluster", marks=pytest.mark.skipif(bool(NO_RAY), reason=NO_RAY))]


@pytest.fixture
def managers(monkeypatch):
    """Makes what makes managers whose workers know the test tasks, perhaps on an engine, and closes them."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    made = []

    def with_engine(engine=None):
        def make(**settings) -> JobManager:
            made.append(JobManager(TASKS, **({"workers": 2, "engine": engine} | settings)))
            return made[-1]

        return make

    yield with_engine
    for one in made:
        one.close()
        assert not one._slots


@pytest.fixture(scope="session")
def ray_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token for all clusters of this process."""
    with asking_for_a_token(tmp_path_factory.mktemp("ray")):
        yield


@pytest.fixture(scope="module")
def cluster(ray_token: None) -> Iterator:
    """The engine of a real cluster: two machines of four cores each, as far as Ray knows."""
    from explorer.jobs.cluster import Cluster

    with ray_cluster({"num_cpus": 4}, {"num_cpus": 4}) as machines:
        engine = Cluster(machines.address)
        yield engine
        engine.close()


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest):
    """Where workers run: None for this machine's own processes."""
    return request.getfixturevalue("cluster") if request.param == "cluster" else None


@pytest.fixture
def make_manager(managers, engine):
    """Makes managers on this machine, and on a cluster."""
    return managers(engine)
