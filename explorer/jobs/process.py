"""Workers as processes of this machine: how many it can carry, how one is started and how one ends."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Protocol

from explorer.hardware.limits import allowed_memory, available_cores, free_memory
from explorer.jobs.events import TOO_MUCH

SERVER_BYTES = 690 * 2**20  # what a server has when every page was visited
DEVICE = "EXPLORER_DEVICE"  # from whoever starts a worker to what runs in it
WORKER_BYTES = 350 * 2**20  # what a worker takes for an ordinary job


class Worker(Protocol):
    """A worker, wherever it runs: orders go into `stdin`, events come out of `stdout`."""

    @property
    def stdin(self) -> IO[bytes]: ...

    @property
    def stdout(self) -> IO[bytes]: ...

    def ended(self) -> bool:
        """Whether it is known to be gone."""

    def kill(self) -> None:
        """End it at once, whatever it does."""

    def end(self) -> str:
        """Make sure that it has ended, free what it held, and say in a sentence how it did."""


class Engine(Protocol):
    """Where workers run.

    `waiting` is a sentence on what a job waits for that has a worker's place and no sign of life from it yet, `threads`
    what torch may use in a worker where nothing else is said.
    """

    waiting: str
    threads: int

    @property
    def capacity(self) -> int:
        """Workers at once; it may change."""

    @property
    def memory_of_job(self) -> int | None:
        """Bytes that a job may have; None where nothing tells."""

    def crowded(self, starting: int) -> bool:
        """Whether memory is too scarce for one more job, beside `starting` that have just begun."""

    def kind(self, task: str) -> str:
        """What kind of worker a task needs: one that has run a task can run another of the same kind."""

    def start(self, kind: str, threads: int) -> Worker:
        """A new worker. Raises `OSError` or `JobError` with a sentence where there can be none."""


def device() -> str:
    """What torch should compute on in a worker: "cuda" where its job was given a GPU, else "cpu"."""
    return os.environ.get(DEVICE, "cpu")


def with_explorer() -> dict[str, str]:
    """The environment of this process, for another that is to import `explorer` from where this module is."""
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


class Processes:
    """The engine of this machine: a worker for each core, if memory allows."""

    waiting = "Starting the worker."

    def __init__(self, workers: int | None = None, memory_of_job: int | None = None) -> None:
        memory = allowed_memory()
        most = available_cores() if memory is None else min(available_cores(), (memory - SERVER_BYTES) // WORKER_BYTES)
        self.capacity = workers or max(1, most)
        self.threads = max(1, available_cores() // self.capacity)
        share = memory and max(WORKER_BYTES, (memory - SERVER_BYTES) // self.capacity)
        self.memory_of_job = memory_of_job or share

    def crowded(self, starting: int) -> bool:
        free = free_memory()
        return free is not None and free < (starting + 1) * WORKER_BYTES

    def kind(self, task: str) -> str:
        return "process"

    def start(self, kind: str, threads: int) -> "LocalWorker":
        return LocalWorker(threads, self.memory_of_job)


class LocalWorker:
    """A process of lower priority that imports `explorer` from where this module is.

    Each job in it may have `memory` bytes, and torch uses `threads`. It sees of the environment what `extra` adds.
    """

    def __init__(self, threads: int, memory: int | None = None, **extra: str) -> None:
        self._most = memory
        environment = with_explorer() | extra
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "explorer.jobs.worker", *([str(memory)] if memory else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin
        assert self._process.stdout
        self.pid, self.stdin, self.stdout = self._process.pid, self._process.stdin, self._process.stdout

    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        with contextlib.suppress(OSError):
            self.stdin.close()
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self.stdout.close()
        if code == TOO_MUCH:
            return (
                f"The job needed more than {(self._most or 0) / 2**20:,.0f} MB of memory, the most that one may take "
                "here, so it was ended. What it had sent last is kept: choose something smaller, and start again."
            )
        if code in (-9, -15):
            how = f"was stopped from outside (signal {-code}; the machine may have run out of memory)"
        elif code < 0:
            how = f"crashed (signal {-code})"
        else:
            how = f"ended unexpectedly (exit code {code})"
        return f"The worker process {how}. What it had sent last is kept: you can start again."
