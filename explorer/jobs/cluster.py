"""Workers on a Ray cluster, for a server that never imports Ray.

One process, the gateway (`explorer.jobs.gateway`), is Ray's driver: Ray may end it, when the head of the cluster dies,
and the server goes on. For each worker the server makes a pair of sockets and hands one end to the gateway, which
carries the bytes that a local worker would have on stdin and stdout to an actor and back.
"""

import contextlib
import hashlib
import json
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path

from explorer.jobs.process import Processes, Worker, with_explorer

LOST = "The connection to the cluster was lost. What it had sent last is kept: you can start again."
LOST_SECONDS = 20.0
GATEWAY = [sys.executable, "-P", "-m", "explorer.jobs.gateway"]
PACKAGE = Path(__file__).resolve().parents[1]


class Cluster:
    """The engine of a cluster whose head is at `address`, HOST:PORT as `ray start` takes it.

    The tasks `here` run on this machine all the same. `gpus` says how many GPUs, or what share of one, a task asks for.
    A worker that does not answer for `lost_after` seconds is lost; Ray's own limit for a silent machine is 63.
    """

    waiting = "Waiting for a machine."
    threads = 1

    def __init__(
        self,
        address: str,
        here: Collection[str] = (),
        gpus: Mapping[str, float] | None = None,
        lost_after: float = LOST_SECONDS,
    ) -> None:
        self.address, self._here, self._gpus, self._lost_after = address, here, dict(gpus or {}), lost_after
        self.capacity, self.memory_of_job = 1, None  # until the gateway tells
        self._processes = Processes()
        self._lock = threading.Lock()
        self._gateway: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        with self._lock:
            self._open_gateway()

    def crowded(self, starting: int) -> bool:
        """Never: memory is that of the cluster's machines, which Ray guards."""
        return False

    def kind(self, task: str) -> str:
        """Where a task runs, and of what it needs."""
        return "here" if task in self._here else f"{self._gpus.get(task, 0):g} GPU"

    def start(self, kind: str, threads: int) -> Worker:
        """A worker that begins once a machine has `threads` cores free, and the GPUs of its kind."""
        if kind == "here":
            return self._processes.start(kind, threads)
        order = json.dumps({"num_cpus": threads, "num_gpus": float(kind.split()[0])}).encode()
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):  # the gateway may be about to end when it is handed the socket
                if self._gateway is None or self._gateway.poll() is not None:
                    self._open_gateway()
                try:
                    assert self._control
                    socket.send_fds(self._control, [order], [theirs.fileno()])
                    break
                except OSError:
                    self._gateway = None
        return RemoteWorker(ours)

    def close(self) -> None:
        """End the gateway, and with it all workers of the cluster that are this server's."""
        with self._lock:
            if self._control:
                self._control.close()
            if self._gateway:
                self._gateway.kill()
                self._gateway.wait()

    def _open_gateway(self) -> None:
        if self._control:
            self._control.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._gateway = subprocess.Popen(
                [*GATEWAY, str(theirs.fileno()), self.address, str(self._lost_after)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is the server's to handle
                env={"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **with_explorer()},
            )
        threading.Thread(target=self._listen, args=(self._control.dup(),), name="jobs-gateway", daemon=True).start()

    def _listen(self, control: socket.socket) -> None:
        """What the gateway tells of the cluster, until it ends."""
        with control, control.makefile("r") as lines, contextlib.suppress(OSError, ValueError):
            for line in lines:
                about = json.loads(line)
                self.capacity, self.memory_of_job = max(1, about["cores"]), about["memory_of_job"]


class RemoteWorker:
    """A worker of the cluster, at one end of a pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._ended = end, False
        self.stdin, self.stdout = end.makefile("wb"), end.makefile("rb")

    def ended(self) -> bool:
        with contextlib.suppress(BlockingIOError):  # of an idle worker, all that can come is its end
            with contextlib.suppress(ConnectionError):
                self._ended or self._end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            self._ended = True
        return self._ended

    def kill(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def end(self) -> str:
        self.kill()
        for stream in (self.stdin, self.stdout, self._end):
            with contextlib.suppress(OSError):
                stream.close()
        return LOST


def versions() -> dict[str, str]:
    """What must be the same on all machines of a cluster: Python, Ray, torch and the course's own code."""
    code = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        code.update(file.read_bytes())
    packages = {name: version(name) for name in ("ray", "torch", "numpy")}
    return {"Python": platform.python_version(), **packages, "Diffusion Explorer": code.hexdigest()[:12]}
