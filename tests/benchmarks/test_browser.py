"""What TensorFlow.js costs in a browser: that it is measured where it is installed, and asked for where it is not."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from benchmarks.browser import FOLDER, Quiet, cost


@contextmanager
def files(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/lab.html"
        server.shutdown()


def measured(folder: Path) -> tuple[float, int]:
    with files(folder) as url, sync_playwright() as playwright:
        try:
            return cost(playwright, url, "cpu", steps=5, slower=1)
        except LookupError as error:
            pytest.skip(str(error))


@pytest.mark.skipif(not (FOLDER / "node_modules").exists(), reason="TensorFlow.js is not installed")
def test_a_step_costs_something_and_calls_many_kernels() -> None:
    seconds, kernels = measured(FOLDER)
    assert seconds > 0
    assert kernels > 100  # forward, backward, Adam for 12 parameters, their average


def test_without_tensorflow_js_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "lab.html").write_text("<!doctype html>")
    with pytest.raises(RuntimeError, match="npm ci"):
        measured(tmp_path)
