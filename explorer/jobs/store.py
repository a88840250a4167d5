"""What visitors keep on the server between two looks at a page: in memory, within bounds, each their own."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
HOURS = 24.0  # as long as the visitor's cookie


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    value: Value
    bytes: int
    lightened: int = 0  # times


def nothing_lighter(visitor: str, value: object) -> None:
    """Of a value that has no lighter form."""


class Store(Generic[Key, Value]):
    """Values by visitor and key. Any thread may use it; nobody changes a value that it holds: they put another.

    A visitor has at most `most` values and `most_bytes`, all together `most_bytes_of_all`, as `size` counts them.
    Where that is too much, the oldest value goes, of all visitors' that of whoever holds most; the one that was put
    last stays, whatever its size. `lighten(visitor, value)` may give a lighter value instead, and None when there is
    no lighter one: each is made lighter once before one is made lighter twice. What a visitor has is dropped `hours`
    after they last put or looked for something. `clock` gives seconds.
    """

    def __init__(
        self,
        size: Callable[[Value], int],
        most: int,
        most_bytes: int,
        most_bytes_of_all: int,
        hours: float = HOURS,
        lighten: Callable[[str, Value], Value | None] = nothing_lighter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.most_bytes, self.most_bytes_of_all, self.hours = most, most_bytes, most_bytes_of_all, hours
        self._size, self._lighten, self._clock = size, lighten, clock
        self._lock = threading.RLock()
        self._kept: dict[str, dict[Key, _Kept[Value]]] = {}
        self._seen: dict[str, float] = {}  # of each visitor who has something; who came last is last

    def put(self, visitor: str, key: Key, value: Value) -> None:
        """Keep a value; one that takes the place of another is as old as that one."""
        with self._lock:
            self.expire()
            kept = self._kept.setdefault(visitor, {})
            kept[key] = _Kept(value, self._size(value))
            self._see(visitor)
            while len(kept) > self.most:
                oldest = next(other for other in kept if other != key)
                while oldest in kept:
                    self._make_lighter(visitor, oldest)
            while self._bytes(visitor) > self.most_bytes and len(kept) > 1:
                self._make_lighter(visitor, self._next_to_go(visitor, key))
            while sum(map(self._bytes, self._kept)) > self.most_bytes_of_all:
                holders = [holder for holder, held in self._kept.items() if holder != visitor or len(held) > 1]
                if not holders:
                    break
                holder = max(holders, key=self._bytes)
                self._make_lighter(holder, self._next_to_go(holder, key if holder == visitor else None))

    def get(self, visitor: str, key: Key) -> Value | None:
        """The visitor's value of that key; None when there is none."""
        return self.all(visitor).get(key)

    def all(self, visitor: str) -> dict[Key, Value]:
        """What the visitor has, the newest last."""
        with self._lock:
            self.expire()
            if visitor not in self._kept:
                return {}
            self._see(visitor)
            return {key: kept.value for key, kept in self._kept[visitor].items()}

    def drop(self, visitor: str, key: Key) -> None:
        """Forget a value, if it is there."""
        with self._lock:
            kept = self._kept.get(visitor, {})
            kept.pop(key, None)
            if not kept:
                self._forget(visitor)

    def expire(self) -> None:
        """Forget the visitors who have not come for `hours`; `put`, `get` and `all` do it first."""
        with self._lock:
            while self._seen:
                visitor, seen = next(iter(self._seen.items()))
                if self._clock() - seen < 3600 * self.hours:
                    return
                self._forget(visitor)

    # From here on the lock is held.

    def _see(self, visitor: str) -> None:
        self._seen.pop(visitor, None)
        self._seen[visitor] = self._clock()

    def _forget(self, visitor: str) -> None:
        self._kept.pop(visitor, None)
        self._seen.pop(visitor, None)

    def _bytes(self, visitor: str) -> int:
        return sum(kept.bytes for kept in self._kept[visitor].values())

    def _next_to_go(self, visitor: str, stays: Key | None) -> Key:
        """The oldest of those that were made lighter least often, without the one that `stays`."""
        kept = self._kept[visitor]
        return min((key for key in kept if key != stays), key=lambda key: kept[key].lightened)

    def _make_lighter(self, visitor: str, key: Key) -> None:
        kept = self._kept[visitor]
        lighter = self._lighten(visitor, kept[key].value)
        if lighter is None:
            self.drop(visitor, key)
        else:
            kept[key] = _Kept(lighter, self._size(lighter), kept[key].lightened + 1)
