"""What visitors keep: each their own, within bounds of count, bytes and hours, whatever threads do."""

import random
import threading
from collections.abc import Callable

import pytest

from explorer.jobs import Store

HOUR = 3600.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store[str, bytes]:
    """Four values and 100 bytes a visitor, 250 bytes in all, for two hours."""
    return Store(len, most=4, most_bytes=100, most_bytes_of_all=250, hours=2, clock=clock)


def test_what_is_put_is_found_by_its_visitor_alone(store: Store[str, bytes]) -> None:
    store.put("ann", "a", b"1")
    store.put("ann", "b", b"2")
    assert store.get("ann", "a") == b"1"
    assert store.all("ann") == {"a": b"1", "b": b"2"}
    assert store.get("bob", "a") is None
    assert store.all("bob") == {}
    store.drop("bob", "a")
    store.put("bob", "a", b"3")
    assert (store.get("ann", "a"), store.get("bob", "a")) == (b"1", b"3")
    store.drop("ann", "a")
    store.drop("ann", "a")
    assert store.all("ann") == {"b": b"2"}
    assert store.get("bob", "a") == b"3"


def test_what_was_handed_out_is_no_way_in(store: Store[str, bytes]) -> None:
    store.put("ann", "a", b"1")
    store.all("ann").clear()
    assert store.get("ann", "a") == b"1"


def test_a_visitor_has_so_many(store: Store[str, bytes]) -> None:
    for key in "abcd":
        store.put("ann", key, b"1")
    store.put("ann", "a", b"2")  # as old as it was
    assert list(store.all("ann")) == ["a", "b", "c", "d"]
    store.put("ann", "e", b"1")
    assert list(store.all("ann")) == ["b", "c", "d", "e"]


def test_a_visitor_has_so_many_bytes_and_the_newest_stays(store: Store[str, bytes]) -> None:
    for key in "abc":
        store.put("ann", key, bytes(40))
    assert list(store.all("ann")) == ["b", "c"]
    store.put("ann", "d", bytes(101))
    assert list(store.all("ann")) == ["d"]
    store.put("ann", "e", b"1")
    assert list(store.all("ann")) == ["e"]


def test_all_together_have_so_many_bytes_and_who_holds_most_gives(store: Store[str, bytes]) -> None:
    store.put("ann", "a", bytes(30))
    for key in "ab":
        store.put("bob", key, bytes(50))
    for key in "ab":
        store.put("cid", key, bytes(40))
    store.put("dan", "a", bytes(40))  # 250 in all
    store.put("dan", "b", bytes(1))
    assert list(store.all("bob")) == ["b"]
    assert [len(store.all(visitor)) for visitor in ("ann", "bob", "cid", "dan")] == [1, 1, 2, 2]
    store.put("eve", "a", bytes(300))  # stays, whatever its size
    assert list(store.all("eve")) == ["a"]
    assert not any(store.all(visitor) for visitor in ("ann", "bob", "cid", "dan"))


def test_who_has_not_come_for_hours_is_forgotten(store: Store[str, bytes], clock: Clock) -> None:
    store.put("ann", "a", b"1")
    store.put("bob", "a", b"1")
    clock.now = 1.5 * HOUR
    assert store.get("bob", "a")  # who looks has come
    clock.now = 2 * HOUR
    assert store.get("ann", "a") is None
    assert store.get("bob", "a")
    clock.now = 4.1 * HOUR
    store.expire()
    assert store._kept == store._seen == {}


def test_a_value_is_made_lighter_before_it_goes_and_each_once_before_one_twice(clock: Clock) -> None:
    told: list[tuple[str, int]] = []

    def lighten(visitor: str, size: int) -> int | None:
        told.append((visitor, size))
        return size // 2 if size > 10 else None

    store: Store[str, int] = Store(int, 3, 100, 1000, lighten=lighten, clock=clock)
    for key in "ab":
        store.put("ann", key, 40)
    store.put("ann", "c", 60)
    assert store.all("ann") == {"a": 20, "b": 20, "c": 60}
    store.put("ann", "c", 70)
    assert store.all("ann") == {"a": 10, "b": 20, "c": 70}
    told.clear()
    store.put("ann", "d", 1)  # too many: the oldest goes by way of its lighter forms
    assert store.all("ann") == {"b": 20, "c": 70, "d": 1}
    assert told == [("ann", 10)]


def test_threads_leave_it_within_its_bounds(store: Store[str, bytes]) -> None:
    """Eight threads of five visitors: no error, no value of another, and the bounds hold at the end."""
    wrong: list[object] = []

    def visit(number: int) -> None:
        chance = random.Random(number)
        steps: list[Callable[[str, str], object]] = [
            lambda visitor, key: store.put(visitor, key, visitor.encode() * chance.randint(1, 4)),
            store.drop,
            lambda visitor, key: [value for value in store.all(visitor).values() if visitor.encode() not in value],
        ]
        try:
            for _ in range(2000):
                found = chance.choice(steps)(
                    chance.choice(["ann-", "bob-", "cid-", "dan-", "eve-"]), chance.choice("abcdef")
                )
                if found:
                    wrong.append(found)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    everything = [store.all(visitor) for visitor in ("ann-", "bob-", "cid-", "dan-", "eve-")]
    assert all(len(values) <= store.most for values in everything)
    assert sum(len(value) for values in everything for value in values.values()) <= store.most_bytes_of_all
