"""Tasks that the job tests run in worker processes."""

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from explorer.files import ASSETS, read_asset
from explorer.jobs import Event, JobError

TASKS = {
    name: f"job_tasks:{name}"
    for name in (
        "echo",
        "count",
        "sleep",
        "hold_the_interpreter",
        "describe_worker",
        "fail",
        "refuse",
        "leave",
        "print_and_read",
        "flood",
        "many_kinds",
        "unsendable",
        "take_memory",
        "need_an_asset",
    )
} | {"missing": "job_tasks:no_such_function"}


def echo(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Send back what came in, after writing to each array in place."""
    for array in arrays.values():
        array += 1
    yield Event("echo", params, arrays)


def count(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Count until stopped (or to `to`), a number every `pause` seconds; then say that it is final."""
    number = 0
    while not stop() and number < params.get("to", 1e9):
        number += 1
        yield Event("number", {"number": number, "pid": os.getpid()})
        time.sleep(params.get("pause", 0.005))
    yield Event("final", {"number": number})


def sleep(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """One long C call that never looks at `stop`."""
    yield Event("start", {"pid": os.getpid()})
    time.sleep(params["seconds"])
    yield Event("end")


def hold_the_interpreter(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """A long C call that keeps the interpreter's lock: no other thread of the worker runs."""
    yield Event("start", {"pid": os.getpid()})
    time.sleep(0.1)  # the start is on its way
    ctypes.PyDLL(None).usleep(int(params["seconds"] * 1e6))


def describe_worker(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Say what this process has loaded and how it was started."""
    main = sys.modules["__main__"]
    yield Event(
        "worker",
        {
            "pid": os.getpid(),
            "main": main.__spec__.name if main.__spec__ else None,
            "modules": sorted(sys.modules),
            "threads": os.environ["OMP_NUM_THREADS"],
            "nice": os.nice(0) if hasattr(os, "nice") else None,
        },
    )


def fail(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """An error that nobody foresaw."""
    yield Event("start")
    raise ZeroDivisionError(params.get("message", "the step size is zero"))


def refuse(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """An error with a sentence for the person."""
    yield Event("start")
    raise JobError("The loss is not a number any more: lower the learning rate.")


def leave(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """End the process from inside."""
    yield Event("start")
    time.sleep(0.1)
    os._exit(7)


def print_and_read(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Use stdin and stdout, which are the server's pipes, in every way."""
    print("a line from a task", flush=True)
    os.write(1, b"bytes from a task\n")
    yield Event("read", {"stdin": sys.stdin.read()})
    os.system("echo a line from a child process")


def flood(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Send `events` large arrays as fast as they can be made."""
    for step in range(params["events"]):
        yield Event("step", {"step": step}, {"values": np.full(params["size"], step, np.float32)})


def many_kinds(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Send more kinds of event than a job may."""
    for kind in range(params["kinds"]):
        yield Event(f"kind {kind}")


def unsendable(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Send what no message can hold."""
    yield Event("bad", {}, {"text": np.array(["words"])})


def take_memory(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Fill more and more memory, up to `bytes`, a step of 16 MiB at a time."""
    held = []
    while len(held) * 2**24 < params["bytes"]:
        held.append(np.ones(2**21))
        yield Event("held", {"bytes": len(held) * 2**24})
        time.sleep(0.02)
    yield Event("final")


def need_an_asset(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Any) -> Iterator[Event]:
    """Read a file of the app that is not there."""
    yield Event("start")
    read_asset(ASSETS / "no-such-file")
