"""Other threads that use the global random generator, as other sessions of a server would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def others_drawing_random_numbers() -> Iterator[None]:
    """Two threads that reseed the global generator and draw from it, over and over."""
    done = threading.Event()

    def draw(seed: int) -> None:
        while not done.is_set():
            torch.manual_seed(seed)
            torch.rand(100)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
