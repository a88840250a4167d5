"""Real Ray clusters on this machine: for the tests of jobs, and for a benchmark."""

import importlib.util
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NO_RAY = "" if importlib.util.find_spec("ray") else "Ray is not installed here: pip install -e '.[cluster]'"


@contextmanager
def asking_for_a_token(folder: Path) -> Iterator[None]:
    """Clusters that begin meanwhile ask for a token; Ray reads it once a process, when it is imported."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    asking = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0"}
    with patch.dict(os.environ, asking):
        yield


@contextmanager
def ray_cluster(*nodes: dict[str, float], **system: str) -> Iterator[Any]:
    """A head without cores and `nodes` beside it, which know the test tasks; `system` are settings of Ray."""
    from ray.cluster_utils import Cluster

    paths = os.pathsep.join([str(ROOT), str(HERE)])
    with patch.dict(os.environ, {"PYTHONPATH": paths} | {f"RAY_{name}": value for name, value in system.items()}):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for node in nodes:
                cluster.add_node(**node)
            yield cluster
        finally:
            cluster.shutdown()
