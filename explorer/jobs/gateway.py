"""The gateway process, `python -m explorer.jobs.gateway FD HOST:PORT SECONDS`: Ray's driver, between a server and a
cluster.

FD is a socket on which the server hands over one end of a pair of sockets for each worker it wants, and on which it is
told what the cluster has; a machine that does not answer for SECONDS is lost. The gateway imports no torch, and neither
do the actors: a worker is a process beside its actor.
"""

import contextlib
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from explorer import logs, settings
from explorer.jobs.cluster import versions
from explorer.jobs.events import END, Event, MessageError, encode, read_unopened
from explorer.jobs.process import DEVICE, LocalWorker, Processes

ASK_SECONDS = 5.0  # an actor without news answers then
PACE_SECONDS = 0.02
GROUPS = {"orders": 1, "mail": 1, "end": 1}  # methods of an actor that do not wait for each other, a thread each
TELL_SECONDS = 3.0
log = logging.getLogger("explorer.jobs.gateway")


class Host:
    """The actor: it holds a worker, hands it what the server says, and keeps the newest message of each kind."""

    def __init__(self, threads: int, device: str) -> None:
        memory = Processes(memory_of_job=settings.read().job_bytes).memory_of_job
        self._worker = LocalWorker(threads, memory, **{DEVICE: device})
        self._mail: dict[str, bytes] = {}
        self._gone = False
        self._changed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def versions(self) -> dict[str, str]:
        """What runs on this machine."""
        return versions()

    def send(self, message: bytes) -> None:
        """Hand a message to the worker."""
        with contextlib.suppress(OSError):  # it died, which `_listen` tells
            self._worker.stdin.write(message)
            self._worker.stdin.flush()

    def kill(self) -> None:
        """End the worker at once: one that holds Python's lock would not see that its actor is gone."""
        self._worker.kill()

    def take(self) -> tuple[bytes, bool]:
        """The newest messages since the last call, in order, and whether they are the last; waits a while for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._mail, ASK_SECONDS)
            messages, self._mail = self._mail, {}
            return b"".join(messages.values()), self._gone

    def _listen(self) -> None:
        with contextlib.suppress(OSError, MessageError):
            while message := read_unopened(self._worker.stdout):
                self._put(*message)
        error = self._worker.end()
        with self._changed:
            self._gone = True
        self._put(END, encode(Event(END, {"error": error, "gone": True})))

    def _put(self, kind: str, message: bytes) -> None:
        with self._changed:
            self._mail.pop(kind, None)
            self._mail[kind] = message
            self._changed.notify()


def carry(ray: Any, actor: Any, end: socket.socket, needs: dict[str, float], lost_after: float) -> None:
    """One worker: an actor for as long as the server holds its end of the sockets, and the actor answers in time."""
    if not fits(ray.nodes(), needs):
        return refuse(end, f"No machine of the cluster has {described(needs)}. Ask whoever runs this course.")
    host = actor.options(**needs).remote(int(needs["num_cpus"]), "cuda" if needs["num_gpus"] else "cpu")
    begun, let_go = threading.Event(), threading.Event()
    threading.Thread(target=bring, args=(ray, host, end, begun, let_go), daemon=True).start()
    error = ""
    try:
        if differing := different(versions(), ray.get(host.versions.remote())):
            return refuse(end, f"The cluster does not run what this server runs: {differing}. Ask whoever runs it.")
        begun.set()
        gone = False
        while not gone:
            messages, gone = ray.get(host.take.options(concurrency_group="mail").remote(), timeout=lost_after)
            end.sendall(messages)
            time.sleep(PACE_SECONDS)
    except ray.exceptions.RayError as lost:  # before OSError: one that comes too late is both
        if not let_go.is_set():
            log.warning("A worker was lost: %s: %.2000s", type(lost).__name__, lost)
            error = "The machine that ran the job was lost. What it had sent last is kept: you can start again."
    except OSError:
        pass  # the server let go
    finally:
        refuse(end, error)
        drop(ray, host, begun)


def bring(ray: Any, host: Any, end: socket.socket, begun: threading.Event, let_go: threading.Event) -> None:
    """What the server says, to the actor; when the server lets go, or has died, the actor goes too."""
    with contextlib.suppress(OSError, MessageError), end.makefile("rb") as orders:
        while message := read_unopened(orders):
            host.send.options(concurrency_group="orders").remote(message[1])
    let_go.set()
    drop(ray, host, begun)


def drop(ray: Any, host: Any, begun: threading.Event) -> None:
    """End an actor and its worker, or the wait for them."""
    with contextlib.suppress(ray.exceptions.RayError):
        if begun.is_set():
            ray.get(host.kill.options(concurrency_group="end").remote(), timeout=1)
    ray.kill(host)


def refuse(end: socket.socket, error: str) -> None:
    """Let go of a worker, with a sentence where there is one."""
    with contextlib.suppress(OSError):
        if error:
            end.sendall(encode(Event(END, {"error": error, "gone": True})))
        end.shutdown(socket.SHUT_RDWR)


def fits(nodes: Iterable[dict[str, Any]], needs: dict[str, float]) -> bool:
    """Whether some living node could ever give what a worker needs; Ray waits for ever where none could."""
    return any(
        node["Resources"].get("CPU", 0) >= needs["num_cpus"] and node["Resources"].get("GPU", 0) >= needs["num_gpus"]
        for node in nodes
        if node["Alive"]
    )


def described(needs: dict[str, float]) -> str:
    """Needs in words."""
    cores = f"{needs['num_cpus']:g} core{'s' * (needs['num_cpus'] != 1)}"
    return f"{cores} and {needs['num_gpus']:g} GPU" if needs["num_gpus"] else cores


def different(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """What differs between two machines, in words; "" where nothing does."""
    return ", ".join(
        f"{name} {theirs.get(name)} there and {own} here" for name, own in ours.items() if theirs.get(name) != own
    )


def about(nodes: Iterable[dict[str, Any]]) -> dict[str, int | None]:
    """What the server is told of a cluster: cores, and bytes that a job may have on its smallest machine."""
    having = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    shares = [int(has["memory"] / has["CPU"]) for has in having if "memory" in has]
    return {"cores": sum(int(has["CPU"]) for has in having), "memory_of_job": min(shares, default=None)}


def connect(address: str) -> Any:
    """Ray, connected; raises `ConnectionError` with a sentence."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()  # Ray itself would try for a minute
    except OSError as error:
        raise ConnectionError(f"The cluster does not answer at {address}: {error}.") from error
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    try:
        import ray
    except ImportError as error:
        raise ConnectionError(
            "Ray is not installed on the server: pip install 'diffusion-explorer[cluster]'."
        ) from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except Exception as error:  # Ray has no one kind of them
        log.exception("The cluster could not be joined.")
        raise ConnectionError(
            f"The server could not join the cluster at {address}: {type(error).__name__}. The log has the details."
        ) from error
    return ray


def tell(ray: Any, control: socket.socket) -> None:
    """Tell the server what the cluster has, when that changes; a gateway that cannot ask any more is of no use."""
    told = None
    try:
        while True:
            if (now := about(ray.nodes())) != told:
                control.sendall(json.dumps(now).encode() + b"\n")
                told = now
            time.sleep(TELL_SECONDS)
    except Exception:
        log.exception("The cluster was lost.")
        os._exit(1)


def main() -> None:
    """Serve until the server is gone."""
    logging.basicConfig(format="%(name)s: %(message)s")
    if settings.read().logs == "json":
        logs.begin()
    control = socket.socket(fileno=int(sys.argv[1]))
    problem = ""
    try:
        ray = connect(sys.argv[2])
    except ConnectionError as error:
        log.error("%s", error)
        ray, problem = None, str(error)
        control.settimeout(1)  # for those that have asked while it was tried
    else:
        threading.Thread(target=tell, args=(ray, control), daemon=True).start()
        actor = ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups=GROUPS)(Host)
    while True:
        try:
            data, ends, _, _ = socket.recv_fds(control, 4096, 1)
        except TimeoutError:
            control.shutdown(socket.SHUT_RD)  # who asks from now on starts another gateway
            continue
        if not data:
            return
        end = socket.socket(fileno=ends[0])
        if problem:
            refuse(end, f"{problem} Ask whoever runs this course.")
        else:
            threading.Thread(
                target=carry, args=(ray, actor, end, json.loads(data), float(sys.argv[3])), daemon=True
            ).start()


if __name__ == "__main__":
    import_module("explorer.jobs.gateway").main()  # so that machines find the actor by its module's name
