"""Managers for the tests of jobs, and a Ray cluster of two machines on this one."""

import importlib.util
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explorer.jobs import JobManager
from tests.unit.jobs.job_tasks import TASKS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NO_RAY = "Ray is not installed here: pip install -e '.[cluster]'" * (importlib.util.find_spec("ray") is None)
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
    """A token for all clusters of this process: Ray reads it once, when it is imported."""
    token = tmp_path_factory.mktemp("ray") / "token"
    token.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@contextmanager
def ray_cluster(*nodes: dict[str, float], **system: str) -> Iterator:
    """A head without cores and `nodes` beside it; `system` is what Ray's own settings say. It needs `ray_token`."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(HERE)]))
        for name, value in system.items():
            patch.setenv(f"RAY_{name}", value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for node in nodes:
                cluster.add_node(**node)
            yield cluster
        finally:
            cluster.shutdown()


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
