"""What the Geometry lab's training would cost in a browser: `python -m benchmarks browser`.

The same network, batch and optimiser in TensorFlow.js, in a headless Chromium on this machine, and in one whose
processor is slowed down four times, as a phone's may be. CPU time, so it hardly depends on what else the machine does.
WebGL is left out: on a machine without a graphics card it says nothing of those that have one.
"""

import functools
import http.server
import statistics
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Playwright, sync_playwright

import explorer as ex
from benchmarks.protocol import cpu_seconds
from benchmarks.tables import table
from benchmarks.waiting import step_cost
from tests.browser.serving import launch_chromium

FOLDER = Path(__file__).parent / "tfjs"
BUNDLES = ("tfjs/dist/tf.min.js", "tfjs-backend-wasm/dist/tf-backend-wasm.min.js")
WASM = "tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm"
BACKENDS = {"wasm": (100, 1), "wasm, slowed down": (30, 4), "cpu": (10, 1)}
TRAIN = "([backend, points, steps]) => train(backend, points, steps)"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a line for each."""

    def log_message(self, *_: object) -> None:
        pass


def cost(playwright: Playwright, url: str, backend: str, steps: int, slower: int) -> tuple[float, int]:
    """CPU seconds of a step, by the difference of a long run and a short one, and the kernels that it calls.

    Raises `RuntimeError`, with a sentence, where TensorFlow.js is not installed.
    """
    points = ex.toy2d("swiss_roll", 2000, seed=0).tolist()
    spent, kernels = [], 0
    with launch_chromium(playwright) as browser:
        page = browser.new_page()
        page.goto(url)
        if not page.evaluate("'tf' in window"):
            raise RuntimeError("TensorFlow.js is not here: run npm ci --prefix benchmarks/tfjs")
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        for taken in (steps, steps, 3 * steps):  # the first compiles
            before = family_cpu()
            kernels = page.evaluate(TRAIN, [backend, points, taken])
            spent.append(family_cpu() - before)
    return (spent[2] - spent[1]) / (2 * steps), kernels


def family_cpu() -> float:
    """CPU seconds of this process's children, Chromium's."""
    return sum(cpu_seconds(process) for process in psutil.Process().children(recursive=True))


def run(arguments: Namespace) -> Iterator[str]:
    """CPU of a step here and there, and the bytes that a browser would fetch."""
    handler = functools.partial(Quiet, directory=str(FOLDER))
    runs = 1 if arguments.quick else arguments.seeds
    here = statistics.median(step_cost() for _ in range(runs))
    rows: list[list[object]] = [["this project, PyTorch on the server", 1000 * here, 1.0, ""]]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/lab.html"
        for name, (steps, slower) in BACKENDS.items():
            costs = [cost(playwright, url, name.split(",")[0], steps, slower) for _ in range(runs)]
            there = statistics.median(seconds for seconds, _ in costs)
            rows.append([f"TensorFlow.js, {name}", 1000 * there, there / here, costs[0][1]])
        server.shutdown()
    sizes = sum((FOLDER / "node_modules/@tensorflow" / name).stat().st_size for name in (*BUNDLES, WASM))
    title = f"A step of the Geometry lab's training; TensorFlow.js and its WASM are {sizes / 2**20:.1f} MiB"
    yield table(title, ["", "CPU of a step, ms", "times ours", "kernels"], rows)
