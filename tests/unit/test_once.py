"""Many threads ask at once: each value is computed once, and different ones side by side."""

import ast
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from explorer.once import once

ROOT = Path(__file__).parents[2]
PATIENCE = 30  # seconds
CACHES: dict[str, Callable[[], Any]] = {
    "once": lambda: once(),
    "st.cache_data": lambda: st.cache_data(show_spinner=False),
    "st.cache_resource": lambda: st.cache_resource(show_spinner=False),
}


@pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES.keys())
def test_a_class_that_asks_at_once_costs_one_computation(cache: Callable[[], Any]) -> None:
    calls: list[int] = []
    asked = threading.Barrier(8, timeout=PATIENCE)
    begun = threading.Event()

    @cache()
    def dear(number: int) -> list[int]:
        calls.append(number)
        begun.wait(0.2)  # long enough that all the others have asked
        return [number]

    def ask(_: int) -> list[int]:
        asked.wait()
        return dear(7)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [[7]] * 8
    assert calls == [7]


@pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES.keys())
def test_different_values_are_computed_side_by_side(cache: Callable[[], Any]) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    @cache()
    def dear(number: int) -> int:
        both.wait()  # neither returns before the other has begun
        return number

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(dear, (1, 2))) == [1, 2]


def test_an_exception_is_not_kept_and_the_next_one_tries() -> None:
    calls = []

    @once()
    def refuses(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            raise ValueError("not now")
        return number

    with pytest.raises(ValueError, match="not now"):
        refuses(3)
    assert [refuses(3), refuses(3), len(calls)] == [3, 3, 2]


def test_what_was_asked_for_last_stays() -> None:
    calls = []

    @once(2)
    def dear(number: int, doubled: bool = False) -> int:
        calls.append(number)
        return 2 * number if doubled else number

    assert [dear(1), dear(2), dear(1), dear(3), dear(1), dear(2)] == [1, 2, 1, 3, 1, 2]
    assert calls == [1, 2, 3, 2]
    assert dear(2, doubled=True) == 4
    dear.cache_clear()
    assert [dear(1), calls[-1]] == [1, 1]
    assert dear.__name__ == "dear"


def test_nothing_here_is_kept_without_a_turn() -> None:
    """`functools.cache` and `lru_cache` let every thread compute what is not there yet."""
    scripts = [ROOT / "Home.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "explorer").rglob("*.py")]
    for path in scripts:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "functools":
                assert not {"cache", "lru_cache"} & {alias.name for alias in node.names}, path
            assert not (isinstance(node, ast.Attribute) and node.attr in ("cache", "lru_cache")), path
