"""The app: CPU of its server for each rerun, and in Chromium first page, slider to redraw, frames, bytes sent, memory.

Memory is the proportional set size, which Linux alone reports.
"""

import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from benchmarks import reruns
from benchmarks.protocol import pss
from benchmarks.tables import percentile_95, table
from tests.browser.serving import Server, launch_chromium, serving

HOME, LAB, BARE, PLAYER = (
    "Home.py",
    "pages/geometry_lab.py",
    "benchmarks/bare.py",
    "tests/browser/player_app.py",
)
WITH_SLIDER = {
    "bare app, one slider": BARE,
    "core concepts": "pages/core_concepts.py",
    "geometry lab": LAB,
    "U-Net": "pages/unet.py",
    "training lab": "pages/training_lab.py",
    "sampling showdown": "pages/sampling_showdown.py",
    "guided generation": "pages/guided_generation.py",
    "voice cloning": "pages/voice_cloning.py",
    "build your rig": "pages/build_your_rig.py",
}
APP = '[data-testid="stApp"]'
READY = f'{APP}[data-test-script-state="notRunning"] h1'
SLIDER = '[data-testid="stSlider"] input[type="range"]'
TRAIN, START = "Train", "Start"
MEBIBYTE = 2**20

# The clock starts at the key and stops at the last change of the page's body, once its script has ended.
WATCH = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const seen = (window.seen = { moved: 0, changed: 0, ended: false });
  const note = () => { seen.changed = performance.now(); };
  const move = () => { seen.moved = seen.changed = performance.now(); seen.ended = false; };
  addEventListener("keydown", move, true);
  new MutationObserver(() => {
    note();
    seen.ended ||= app.dataset.testScriptState === "notRunning";
  }).observe(app, { attributeFilter: ["data-test-script-state"] });
  new MutationObserver(note).observe(app.querySelector('[data-testid="stMain"]'),
    { subtree: true, childList: true, characterData: true, attributes: true });
}"""
# A script may start and end within one frame: then nothing is seen to end, and a longer quiet tells.
SETTLED = f"""() => document.querySelector('{APP}').dataset.testScriptState === "notRunning"
  && performance.now() - seen.changed > (seen.ended ? 200 : 2000)"""
FRAMES = """(seconds) => new Promise((done) => {
  const frames = [];
  const tick = (now) => {
    frames.push(now);
    if (now - frames[0] < 1000 * seconds) requestAnimationFrame(tick); else done(frames);
  };
  requestAnimationFrame(tick);
})"""


def open_page(browser: Browser, url: str) -> Page:
    """`url` in a context of its own, when its script has ended and its heading shows."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(url)
    page.wait_for_selector(READY, timeout=60_000)
    return page


def first_page(browser: Browser, repeats: int) -> str:
    """From `streamlit run` to the first page, its script ended."""
    rows = []
    for name, script in {"bare app, one slider": BARE, "this project": HOME}.items():
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            with serving(script) as server:
                open_page(browser, server.url).context.close()
                seconds.append(time.perf_counter() - start)
        rows.append([name, statistics.median(seconds), max(seconds)])
    return table("`streamlit run` to the first page ready", ["", "median, s", "worst, s"], rows)


def redraws(page: Page, repeats: int) -> list[float]:
    """Milliseconds from an arrow key on the page's first slider to the last change that it causes."""
    slider = page.locator(SLIDER).locator("visible=true").first
    slider.wait_for()
    page.wait_for_timeout(1000)
    slider.focus()
    page.evaluate(WATCH)
    milliseconds = []
    arrow = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
    for _ in range(repeats):
        before = slider.input_value()
        page.keyboard.press(arrow)  # a value that nobody has asked for yet
        if slider.input_value() == before:  # the last one
            break
        page.wait_for_function(SETTLED, timeout=30_000)
        milliseconds.append(page.evaluate("() => seen.changed - seen.moved"))
    return milliseconds


def slider_to_redraw(browser: Browser, repeats: int) -> str:
    """On each page alone, then on each while another session trains in the geometry lab."""
    rows = []
    for name, script in WITH_SLIDER.items():
        with serving(script) as server:
            page = open_page(browser, server.url)
            rows.append(_redraw_row(name, redraws(page, repeats)))
            page.context.close()
    with serving(LAB) as server:
        other, page = open_page(browser, f"{server.url}/?geo_seconds=30"), open_page(browser, server.url)
        other.get_by_role("button", name=TRAIN, exact=True).click()
        other.wait_for_timeout(3000)
        rows.append(_redraw_row("geometry lab while another session trains", redraws(page, repeats)))
        other.context.close()
        page.context.close()
    return table("Slider moved to page redrawn", ["", "median, ms", "95 %, ms"], rows)


def _redraw_row(name: str, milliseconds: list[float]) -> list[object]:
    return [name, f"{statistics.median(milliseconds):.0f}", f"{percentile_95(milliseconds):.0f}"]


def player(browser: Browser, seconds: float) -> str:
    """Frames of the playing player at 2,000 points and 100 steps, and what the server sent for it."""
    rows = []
    with serving(PLAYER) as server:
        for layers in ("points", "points,paths", "points,density", "points,mesh,field"):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            received = _bytes_received(page)
            page.goto(f"{server.url}/?n=2000&steps=100&layers={layers}")
            page.locator(".player[data-position]").wait_for(timeout=60_000)
            page.wait_for_timeout(1000)
            frames = page.evaluate(FRAMES, seconds)
            gaps = [after - before for before, after in pairwise(frames)]
            context.close()
            speed = f"{1000 / statistics.mean(gaps):.0f}"
            rows.append([layers, speed, f"{percentile_95(gaps):.0f}", sum(received) / MEBIBYTE])
    header = ["layers", "frames/s", "95 % of frames within, ms", "sent by the server, MiB"]
    return table("The player, 2,000 points and 100 steps", header, rows)


def _bytes_received(page: Page) -> list[int]:
    """Sizes of the messages that reach the page, as they come."""
    sizes: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: sizes.append(len(payload)))

    page.on("websocket", listen)
    return sizes


def memory(browser: Browser, sessions: int) -> str:
    """The server after every page has been visited, what a further idle session adds, and a worker."""
    with serving(HOME) as server:
        page = open_page(browser, server.url)
        links = page.locator('[data-testid="stSidebarNavLink"]')
        links.first.wait_for(state="attached")
        addresses = [urljoin(server.url, link.get_attribute("href") or "") for link in links.all()]
        for address in addresses:
            print(f"  {address}", file=sys.stderr)
            page.goto(address)
            page.wait_for_selector(READY, timeout=60_000)
            page.wait_for_timeout(2000)
        visited = pss(server.process)
        others = [open_page(browser, addresses[index % len(addresses)]) for index in range(sessions)]
        page.wait_for_timeout(2000)
        each = (pss(server.process) - visited) / sessions
        for other in others:
            other.context.close()
        workers = {}
        for name, button in {"geometry_lab": TRAIN, "training_lab": START}.items():
            page.goto(next(address for address in addresses if name in address))
            page.get_by_role("button", name=button, exact=True).click()
            page.wait_for_timeout(10_000)
            workers[name] = max(_workers(server))
        afterwards = pss(server.process)
        page.context.close()
    rows = [
        [f"server, {len(addresses)} pages visited", visited],
        ["each further idle session", each],
        *([f"worker, training in {name}", size] for name, size in workers.items()),
        ["server, with what they sent", afterwards],
    ]
    return table("Memory, proportional set size", ["", "MiB"], rows)


def _workers(server: Server) -> list[float]:
    return [pss(child) for child in server.process.children(recursive=True)]


def run(arguments: Namespace) -> Iterator[str]:
    """The tables of the app; all but the first need a Chromium."""
    quick, seeds = arguments.quick, arguments.seeds
    yield reruns.tables(quick, arguments.page)
    if arguments.page:
        return
    with sync_playwright() as playwright:
        try:
            browser = launch_chromium(playwright)
        except LookupError as error:
            yield f"The app was not measured: {error}.\n"
            return
        yield player(browser, 2 if quick else 10)
        yield first_page(browser, 1 if quick else seeds)
        yield slider_to_redraw(browser, 5 if quick else 40)
        if sys.platform == "linux":
            yield memory(browser, 2 if quick else 10)
        browser.close()
