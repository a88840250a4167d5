"""The benchmarks' own sessions: that they use the whole app without an error, and that it does not grow under them."""

import asyncio
from collections.abc import Iterator

import pytest

from benchmarks.load import drive
from benchmarks.memory import growth
from tests.browser.serving import Server, serving

LEAK = 0.1  # MiB a rerun; what Python and the allocator do by themselves stays far below


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("Home.py") as server:
        yield server


def test_a_few_visitors_move_sliders_without_an_error(server: Server) -> None:
    seen = asyncio.run(drive(server, sessions=3, seconds=10, training=0))
    assert seen.errors == []
    assert len(seen.moves) >= 3
    assert len(seen.openings) >= 6


def test_reruns_do_not_grow_the_server(server: Server) -> None:
    _, half, end = asyncio.run(growth(server, "training_lab", reruns=100))
    assert end - half < 50 * LEAK
