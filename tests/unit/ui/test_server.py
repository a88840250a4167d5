"""A real server with logs and figures for who runs it: what it tells when a student trains and leaves."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import streamlit as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

from benchmarks.protocol import Session
from explorer.ui.server import loading
from tests.browser.serving import ROOT, Server, answering, free_port, on_port

FAILING = ROOT / "tests/unit/ui/failing_app.py"
COMMAND = [sys.executable, "-m", "streamlit", "run", ROOT / "Home.py"]


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(metrics_port: int) -> Iterator[Server]:
    """One that a student has trained on."""
    port = free_port()
    told = {"DIFFUSION_EXPLORER_LOGS": "json", "DIFFUSION_EXPLORER_METRICS": str(metrics_port)}
    options = [*on_port(port), "--logger.hideWelcomeMessage=true"]
    with answering([*COMMAND, *options], port, cwd=ROOT, env=os.environ | told) as running:
        asyncio.run(train(running.url, metrics_port))
        yield running


async def train(url: str, metrics_port: int) -> None:
    async with Session(url, "geometry_lab") as student:
        (button,) = (button for button in student.widgets("button") if button.proto.label == "Train")
        await student.press(button)
        assert figures(metrics_port)["explorer_tabs"] == 1
        until = time.monotonic() + 240
        while not figures(metrics_port).get(ENDED) and time.monotonic() < until:
            await asyncio.sleep(0.2)


ENDED = 'explorer_job_seconds_count{state="done",task="train_2d"}'


def figures(port: int) -> dict[str, float]:
    """The value of each line that Prometheus would read."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    lines = opener.open(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_it_counts_what_happened(server: Server, metrics_port: int) -> None:
    told = figures(metrics_port)
    assert told[ENDED] == 1
    assert told['explorer_rerun_seconds_count{page="Geometry lab",part="page"}'] >= 1
    assert told['explorer_rerun_seconds_count{page="Geometry lab",part="fragment"}'] >= 2
    assert told['explorer_rerun_cpu_seconds_total{page="Geometry lab"}'] > 0
    assert told['explorer_jobs{state="queued"}'] == 0
    assert told['explorer_memory_bytes{work="server"}'] > 50e6
    eventually(lambda: figures(metrics_port)["explorer_tabs"] == 0)
    assert figures(metrics_port)['explorer_tab_events_total{type="connect"}'] == 1


def test_every_line_of_its_log_is_an_object(server: Server) -> None:
    def told() -> list[dict]:
        return [json.loads(line) for line in server.log.read_text().splitlines()]

    eventually(lambda: any(line["message"] == "tab left" for line in told()))
    connected, ended, left = (line for line in told() if line["logger"] == "explorer")
    assert connected["message"] == "tab connected"
    assert {"message": "job ended", "task": "train_2d", "state": "done"}.items() <= ended.items()
    assert ended["seconds"] >= 1
    assert left["seconds"] > ended["seconds"]
    assert [line for line in told() if line["logger"] != "explorer"] == []


def test_an_error_is_counted_and_told_without_what_was_typed() -> None:
    port, metrics_port = free_port(), free_port()
    command = [sys.executable, "-m", "streamlit", "run", FAILING, *on_port(port), "--logger.hideWelcomeMessage=true"]
    settings = {"DIFFUSION_EXPLORER_LOGS": "json", "DIFFUSION_EXPLORER_METRICS": str(metrics_port)}
    with answering(command, port, cwd=ROOT, env=os.environ | settings) as running:
        asyncio.run(open_once(running.url))
        assert figures(metrics_port)['explorer_page_errors_total{error="ValueError"}'] == 1
        told = [json.loads(line) for line in running.log.read_text().splitlines()]
    (line,) = told
    assert line["error"] == "ValueError"
    assert line["at"][-1].startswith(f"{FAILING}:")
    assert "Ada" not in json.dumps(line)


async def open_once(url: str) -> None:
    async with Session(url):
        pass


def test_where_figures_cannot_be_told_the_server_ends_with_a_sentence(server: Server, metrics_port: int) -> None:
    ended = subprocess.run(
        [*COMMAND, "--server.headless=true"],
        env=os.environ | {"DIFFUSION_EXPLORER_METRICS": str(metrics_port)},
        capture_output=True,
        timeout=120,
        text=True,
        cwd=ROOT,
    )
    assert ended.returncode
    assert "DIFFUSION_EXPLORER_METRICS: " in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_nothing_is_imported_for_figures_that_nobody_asked_for() -> None:
    script = "import sys, Home; print([name for name in ('prometheus_client', 'psutil') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_who_waits_for_a_file_keeps_nobody_from_another() -> None:
    """A download whose file is still to be made holds a thread of asyncio's pool, as `asyncio.to_thread` does."""
    drawn = threading.Event()

    async def a_class() -> str:
        async with loading()(None):
            waiting = [asyncio.create_task(asyncio.to_thread(drawn.wait, 60)) for _ in range(100)]
            await asyncio.sleep(0)
            quick = await asyncio.wait_for(asyncio.to_thread(lambda: "a small file"), 30)
            assert not any(task.done() for task in waiting)
            drawn.set()
            assert all(await asyncio.gather(*waiting))
            return quick

    assert asyncio.run(a_class()) == "a small file"


async def rolled(megabytes: int) -> bool:
    """Whether an upload of so many megabytes went to a disk on its way."""

    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(megabytes):
            yield bytes(10**6)
        yield b"\r\n--x--\r\n"

    form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=x"}), body()).parse()
    upload = form["file"]
    assert not isinstance(upload, str)
    assert upload.size == megabytes * 10**6
    return bool(upload.file._rolled)  # type: ignore[attr-defined]


def test_an_upload_never_goes_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve() -> tuple[bool, bool]:
        before = await rolled(3)
        async with loading()(None):
            return before, await rolled(st.get_option("server.maxUploadSize"))

    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)  # as Starlette has it
    assert asyncio.run(serve()) == (True, False)
