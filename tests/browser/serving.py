"""An app served for a test or a benchmark, and a Chromium to look at it with."""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Error, Playwright

ROOT = Path(__file__).parents[2]
QUIET = ("quic", "background-networking", "component-update", "sync")


@dataclass(frozen=True)
class Server:
    """A running `streamlit run`: where it answers, its process, and what it has printed so far."""

    url: str
    process: psutil.Process
    log: Path

    def errors(self, since: int = 0) -> str:
        """What the server printed after character `since`, when an exception is in it; else ""."""
        printed = self.log.read_text(errors="replace")[since:]
        return printed if "Traceback (most recent call last)" in printed else ""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def serving(script: str | Path, *args: str, settings: Sequence[str] = (), seconds: float = 60) -> Iterator[Server]:
    """Serve `script` (relative to the repository) on a free port until the block ends.

    `args` are passed to the script, `settings` to Streamlit: "--runner.postScriptGC=true". On leaving, the server and
    its workers are ended. Raises `RuntimeError` with what the server printed when it ends early, or `TimeoutError`
    when it is not healthy within `seconds`.
    """
    port = free_port()
    options = ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / script), *on_port(port), *options, *settings]
    command += ["--", *args]
    with answering(command, port, seconds, cwd=ROOT) as server:
        yield server


def on_port(port: int) -> list[str]:
    """The options of a Streamlit server on this machine alone."""
    return ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]


@contextlib.contextmanager
def answering(
    command: Sequence[str | Path], port: int, seconds: float = 60, base: str = "", **options: Any
) -> Iterator[Server]:
    """A server started by any command, as `serving` does, whose app lies below the path `base`; `options` are those of
    `subprocess.Popen`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "server.log"
        with log.open("w") as output:
            child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
        server = Server(f"http://127.0.0.1:{port}{base}", psutil.Process(child.pid), log)
        try:
            deadline = time.monotonic() + seconds
            while not _answers(f"{server.url}/_stcore/health"):
                if child.poll() is not None:
                    raise RuntimeError(f"{command} did not start:\n{log.read_text()}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{command} was not healthy after {seconds} s:\n{log.read_text()}")
                time.sleep(0.02)
            yield server
        finally:
            _end(server.process)
            child.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        _, alive = psutil.wait_procs(family, timeout=5)
        for member in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()


def launch_chromium(playwright: Playwright) -> Browser:
    """The system's Chromium or Chrome, else the one that Playwright installed.

    Raises `LookupError`, with a sentence on what to install, when there is none.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    arguments = ["--no-sandbox", "--no-first-run", *(f"--disable-{part}" for part in QUIET)]
    try:
        return playwright.chromium.launch(executable_path=found, args=arguments)
    except Error as error:
        if found:
            raise
        advice = "install the chromium package, or run `python -m playwright install chromium`"
        raise LookupError(f"no Chromium found: {advice}") from error
