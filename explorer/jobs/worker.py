"""The worker process, `python -m explorer.jobs.worker [BYTES]`: one task at a time, until stdin closes.

Four threads: the main one runs the task, one listens to the server, one sends, and one sees to it that a task takes no
more than BYTES of memory. The server says `run` (with the spec), `stop` (finish, please) or `cancel` (nobody wants the
result).
"""

import importlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from explorer import logs, settings
from explorer.files import AssetError
from explorer.hardware.limits import own_memory
from explorer.jobs.events import BEGIN, END, TOO_MUCH, Event, JobError, encode, read

MAX_KINDS = 200
MAX_JOB_BYTES = 128 * 2**20
PACE_SECONDS = 0.02
WEIGHING_SECONDS = 0.25


class Order(NamedTuple):
    """A job to run, and what the server says about it later."""

    spec: Event
    stop: threading.Event
    cancel: threading.Event


class Outbox:
    """Sends the newest event of each kind, 50 times a second at most.

    So a fast task never waits for the pipe and never floods the server, which has pages to draw.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._pending: dict[str, bytes] = {}
        threading.Thread(target=self._send, daemon=True).start()

    def put(self, kind: str, message: bytes) -> None:
        """Queue a message behind the others, in place of an unsent one of its kind."""
        with self._changed:
            self._pending.pop(kind, None)
            self._pending[kind] = message
            self._changed.notify()

    def _send(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._pending)
                    messages, self._pending = self._pending, {}
                for message in messages.values():
                    self._stream.write(message)
                self._stream.flush()
                time.sleep(PACE_SECONDS)
        except OSError:
            os._exit(0)


def run(order: Order, outbox: Outbox) -> str | None:
    """Run one task; returns a sentence when it failed, else None."""
    target, params = order.spec.data["target"], order.spec.data["params"]
    numbers: Counter[str] = Counter()
    sizes: dict[str, int] = {}
    try:
        module, _, function = target.partition(":")
        task = getattr(importlib.import_module(module), function)
        events = task(params, order.spec.arrays, order.stop.is_set)
        for event in events:
            if order.cancel.is_set():
                events.close()
                break
            numbers[event.kind] += 1
            message = encode(replace(event, number=numbers[event.kind]))
            sizes[event.kind] = len(message)
            if len(sizes) > MAX_KINDS or sum(sizes.values()) > MAX_JOB_BYTES:
                raise JobError(
                    f"The job was ended because it sent more than {MAX_KINDS} kinds of event or "
                    f"{MAX_JOB_BYTES // 2**20} MiB."
                )
            outbox.put(event.kind, message)
    except (JobError, AssetError) as error:
        return str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("A task failed.")
        what = f"{type(error).__name__}: {str(error)[:500]}".rstrip(" .:")
        return f"The job failed: {what}. The server's log has the details."
    return None


def _listen(stream: BinaryIO, orders: "queue.SimpleQueue[Order]") -> None:
    """Pass on the server's orders; leave with the server, even when it was killed."""
    try:
        while message := read(stream):
            if message.kind == "run":
                order = Order(message, threading.Event(), threading.Event())
                orders.put(order)
            else:
                order.stop.set()
                if message.kind == "cancel":
                    order.cancel.set()
    finally:
        os._exit(0)


def _weigh(most: int) -> None:
    """Leave when the job takes more memory than it may, before the machine has none for others."""
    while (own_memory() or 0) <= most:
        time.sleep(WEIGHING_SECONDS)
    os._exit(TOO_MUCH)


def main() -> None:
    """Serve the process that holds the other ends of stdin and stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the server's to handle
    if hasattr(os, "nice"):
        os.nice(5)
    commands, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what a task reads or prints must not touch the pipes
    os.dup2(2, 1)
    if settings.read().logs == "json":
        logs.begin()
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    outbox = Outbox(results)
    threading.Thread(target=_listen, args=(commands, orders), daemon=True).start()
    if sys.argv[1:]:
        threading.Thread(target=_weigh, args=(int(sys.argv[1]),), daemon=True).start()
    while True:
        order = orders.get()
        outbox.put(BEGIN, encode(Event(BEGIN)))
        outbox.put(END, encode(Event(END, {"error": run(order, outbox)})))


if __name__ == "__main__":
    main()
