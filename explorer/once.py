"""What the whole process keeps, computed once: who asks for it meanwhile waits for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
Result = TypeVar("Result", covariant=True)


class Kept(Generic[P, Result]):
    """A function whose results are kept, as the type checker sees it."""

    __name__: str
    __call__: Callable[P, Result]
    cache_clear: Callable[[], None]


def once(most: int | None = None) -> Callable[[Callable[P, Result]], Kept[P, Result]]:
    """Keep what a function returns, by its arguments, the last `most` that were asked for.

    Unlike `functools.lru_cache`, which computes a value as often as threads ask for it before it is there: a class
    that opens one link asks at the same moment. Different values are computed side by side. An exception is not kept.
    """

    def decorate(function: Callable[P, Result]) -> Kept[P, Result]:
        changing = threading.Lock()
        kept: OrderedDict[Any, Result] = OrderedDict()
        turns: dict[Any, threading.RLock] = {}

        @wraps(function)
        def keeping(*args: P.args, **kwargs: P.kwargs) -> Result:
            key = (args, tuple(kwargs.items()))
            with changing:
                if key in kept:
                    kept.move_to_end(key)
                    return kept[key]
                turn = turns.setdefault(key, threading.RLock())
            with turn:
                with changing:
                    if key in kept:
                        return kept[key]
                try:
                    result = function(*args, **kwargs)
                    with changing:
                        kept[key] = result
                        if most is not None and len(kept) > most:
                            kept.popitem(last=False)
                    return result
                finally:
                    with changing:
                        turns.pop(key, None)

        def clear() -> None:
            with changing:
                kept.clear()

        keeping.cache_clear = clear  # type: ignore[attr-defined]
        return cast(Kept[P, Result], keeping)

    return decorate
