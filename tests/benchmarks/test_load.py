"""The benchmarks' own sessions: that they use the whole app without an error, and that it does not grow under them."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks import sessions
from benchmarks.load import drive
from benchmarks.memory import growth
from tests.browser.serving import Server, serving

LEAK = 0.1  # MiB a rerun; what Python and the allocator do by themselves stays far below


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("Home.py") as server:
        yield server


def test_a_few_visitors_move_sliders_without_an_error(server: Server) -> None:
    seen = asyncio.run(drive(server, students=3, seconds=10, training=0))
    assert seen.errors == []
    assert len(seen.moves) >= 3
    assert len(seen.openings) >= 6


def test_a_link_that_many_open_is_computed_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "WITHIN", 0.5)
    scene, seed = next((scene, seed) for scene, seed in sessions.seeded() if scene.page == "geometry_lab")
    found = asyncio.run(sessions.link(server, scene, seed, 8))
    assert found.alone["explorer.ui.geometry_lab.models._shared_run"] == 1
    assert found.more == Counter()
    assert len(found.seconds) == 8


def test_nobody_is_sent_the_word_of_another(server: Server) -> None:
    own, errors = asyncio.run(sessions.apart(server, ["guided_generation", "training_lab"], 2))
    assert errors == []
    assert own > 2


def test_a_word_that_reaches_another_is_seen(server: Server) -> None:
    async def both() -> list[str]:
        async with sessions.Marked(server.url, "guided_generation", mark="abcdef", marks=["uvwxyz", "abcdef"]) as one:
            prompt = one.widgets("text_input")[0]
            await one.change(prompt, "uvwxyz")
            return one.errors

    assert "the word of another came: uvwxyz" in asyncio.run(both())


def test_classes_come_and_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CLASSES", 2)
    found = asyncio.run(sessions.idle(server, ["for_teachers"], 4))
    assert len(found.here) == len(found.gone) == 2
    assert min(found.before, *found.here, *found.gone) > 50


def test_reruns_do_not_grow_the_server(server: Server) -> None:
    _, half, end = asyncio.run(growth(server, "training_lab", reruns=100))
    assert end - half < 50 * LEAK
