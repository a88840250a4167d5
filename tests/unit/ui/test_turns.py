"""As many computations at once as there are cores, and the others wait for their turn."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from explorer.ui import turns
from explorer.ui.turns import in_turn


def test_no_more_compute_at_once_than_there_are_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_turns", threading.Semaphore(2))
    both, counting = threading.Barrier(2, timeout=30), threading.Lock()
    inside: set[int] = set()
    most = 0

    @in_turn
    def dear(number: int) -> int:
        nonlocal most
        with counting:
            inside.add(number)
            most = max(most, len(inside))
        both.wait()  # passes two by two
        with counting:
            inside.remove(number)
        return number

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(dear, range(6))) == list(range(6))
    assert most == 2


def test_a_turn_is_given_back_by_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_turns", threading.Semaphore(1))

    @in_turn
    def fails() -> None:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fails()


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_turns", threading.Semaphore(0))
    monkeypatch.setattr(turns, "LONGEST", 0.01)
    assert in_turn(lambda: 3)() == 3
    monkeypatch.setattr(turns, "LONGEST", 30)
    assert not turns._turns.acquire(blocking=False)  # what was not taken is not given back
