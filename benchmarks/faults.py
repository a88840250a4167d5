"""What a student sees when something breaks: `python -m benchmarks faults`, which writes benchmarks/faults.md.

A server of a copy of the app, and Chromium behind a wire that can be cut. Each fault is made for real: processes are
killed, files damaged, the network is cut or goes silent, the browser is stopped as by a laptop that sleeps, the disk is
a small one, and the server's clock is set back (for its process alone, where there is a C compiler). "Until it goes on"
counts from the end of the fault to a page that is connected and has run.
"""

import asyncio
import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from playwright.sync_api import BrowserContext, Playwright, sync_playwright
from streamlit.proto.Element_pb2 import Element

from benchmarks.protocol import Session, _walk
from benchmarks.wire import Wire, wire
from tests.browser.serving import ROOT, Server, answering, free_port, launch_chromium, on_port
from tests.unit.test_full_disk import DOWNLOAD, SAVE, on_a_small_disk

REPORT = ROOT / "benchmarks" / "faults.md"
PARTS = (".streamlit", "assets", "explorer", "pages", "Home.py")
ABSENCES = (5, 60, 600)  # seconds without a network
PATIENCE = 300_000  # milliseconds
HELD = "explorer_held"
GOES_ON = r"^Epoch .* images a second"
SAYS = r"^Epoch \d|^Training (ended|was|is)|training was dropped|worker process"  # of a training
BROKEN = {  # a file, how it is broken, and the page that opens with it
    "weights/digits-8.safetensors": ("changed", "core_concepts"),
    "weights/toy2d-swiss_roll-flow-velocity.safetensors": ("changed", ""),
    "weights/voice.safetensors": ("cut short", "voice_cloning"),
    "weights/toy2d-smiley-flow-velocity.json": ("missing", "geometry_lab"),
    "pictures/emoji.png": ("cut short", "guided_generation"),
    "hardware/traces.json": ("missing", "build_your_rig"),
    "ethics/memory.json": ("changed", "conclusion_ethics"),
}
CLOCK = ROOT / "benchmarks" / "clock.c"


@dataclass(frozen=True)
class Row:
    """A fault, what the student reads, what is lost, and seconds until the page goes on."""

    fault: str
    seen: str
    lost: str
    seconds: float | None = None


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the app in which files may be broken."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for part in PARTS:
            source, place = ROOT / part, Path(folder) / part
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place)
        yield Path(folder)


@contextlib.contextmanager
def serving_copy(folder: Path, port: int = 0, **environment: str) -> Iterator[Server]:
    """A server of a copy, on a port of its own or on the one that it had before."""
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "Home.py", *on_port(port)]
    with answering(command, port, 120, cwd=folder, env={**os.environ, **environment}) as server:
        yield server


def break_file(path: Path, how: str) -> None:
    """Take a file away, cut it to its half, or change one bit in its middle."""
    content = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


async def errors_by_page(url: str) -> dict[str, list[str]]:
    """The errors that each page of the course shows when it opens, and exceptions that none has put in words."""
    found = {}
    async with Session(url, patience=PATIENCE / 1000) as session:
        for page in list(session.pages):
            session.errors.clear()
            await session.go(page)
            contents = [node.content for node in _walk(session._roots) if isinstance(node.content, Element)]
            alerts = [one.alert.body for one in contents if one.WhichOneof("type") == "alert"]
            found[page.url_pathname] = [*(one for one in alerts if "assets/" in one), *session.errors]
    return found


def broken_assets() -> Iterator[Row]:
    """Files of several pages at once: each says its sentence, and the others open."""
    with copied() as folder:
        for name, (how, _) in BROKEN.items():
            break_file(folder / "assets" / name, how)
        with serving_copy(folder) as server:
            found = asyncio.run(errors_by_page(server.url))
    for name, (how, page) in BROKEN.items():
        said = [one for one in found[page] if name in one]
        others = sorted(other or "welcome" for other, errors in found.items() if any(name in one for one in errors))
        yield Row(f"assets/{name} {how}", " ".join(said) or "nothing", f"what needs it on {', '.join(others)}")
    whole = [page or "welcome" for page, errors in found.items() if not errors]
    yield Row("all of these at once", f"no error on {', '.join(whole)}", "nothing on these")


def full_disk() -> Iterator[Row]:
    """A download, and weights that are saved, on a disk of 256 KiB."""
    for fault, script, lost in (
        ("disk full while downloading", DOWNLOAD, "the download; no part of it is left"),
        ("disk full while `explorer.save` writes", SAVE, "the new file; the one before is there"),
    ):
        with TemporaryDirectory() as folder:
            said = on_a_small_disk(Path(folder), script)
            yield Row(fault, "not made: no small disk can be mounted here" if said is None else f"“{said}”", lost)


class Student:
    """A tab of a browser, and what can be said about it."""

    def __init__(self, context: BrowserContext, url: str, page: str) -> None:
        self.context, self.page = context, context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.heard = 0.0  # when the server last sent something
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        self.page.goto(f"{url}/{page}")
        self.at_rest()

    def _hear(self, _: object) -> None:
        self.heard = time.monotonic()

    def back_since(self, moment: float) -> str:
        """Wait until the server has answered after a moment, and the page is at rest; what it says of its training."""
        while self.heard < moment:
            self.page.wait_for_timeout(100)
        self.at_rest()
        return self.wait_for(SAYS)

    def at_rest(self) -> None:
        """Wait until the page is connected and its script does not run."""
        state = "[data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
        self.page.wait_for_selector(f"[data-testid='stApp']{state}")

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).click()

    def held(self) -> list[int]:
        """How many models and trainings the server keeps, drawings, and right answers, as the cookie says."""
        values = [one["value"] for one in self.context.cookies() if one["name"] == HELD]
        return [int(count) for count in values[0].split(".")[1:]] if values else []

    def reads(self, *texts: str) -> str:
        """The paragraphs on the page that contain one of these texts."""
        paragraphs = self.page.locator("[data-testid='stMarkdownContainer'] p").all_inner_texts()
        return " ".join(dict.fromkeys(one for one in paragraphs if any(text in one for text in texts)))

    def wait_for(self, text: str) -> str:
        """Wait until the page says something; the whole of it."""
        found = self.page.get_by_test_id("stMain").get_by_text(re.compile(text)).first
        found.wait_for()
        return found.inner_text()

    def set_a_slider(self) -> None:
        """Move the first slider of the page, if it has one, so that the address holds its value."""
        sliders = self.page.locator("[data-testid='stSlider'] [role='slider']:not([aria-disabled='true'])")
        if sliders.count():
            sliders.first.press("ArrowRight")
            self.page.wait_for_timeout(1500)
        self.at_rest()

    def settings(self) -> tuple[str, list[str | None]]:
        """The address, and where all sliders stand."""
        sliders = self.page.locator("[data-testid='stSlider'] [role='slider']").all()
        return self.page.url, [
            slider.get_attribute("aria-valuetext") or slider.get_attribute("aria-valuenow") for slider in sliders
        ]


def started(context: BrowserContext, url: str) -> Student:
    """A student who has trained a model in the Geometry lab, and has begun a training in the Training lab."""
    student = Student(context, url, "geometry_lab")
    student.press("Train")
    student.page.wait_for_function(f"document.cookie.match(/{HELD}=\\w+\\.[1-9]/)")
    student.page.goto(f"{url}/training_lab")
    student.at_rest()
    student.press("Start")
    student.wait_for(GOES_ON)
    return student


def workers(server: Server) -> list[psutil.Process]:
    return [one for one in server.process.children(recursive=True) if "explorer.jobs.worker" in one.cmdline()]


def killed_workers(playwright: Playwright) -> Iterator[Row]:
    """All workers at once, while two students train."""
    browser = launch_chromium(playwright)
    with copied() as folder, serving_copy(folder) as server:
        students = [started(browser.new_context(), server.url) for _ in range(2)]
        found = workers(server)
        for worker in found:
            worker.send_signal(signal.SIGKILL)
        start = time.monotonic()
        said = [student.wait_for("worker process") for student in students]
        told = time.monotonic() - start
        students[0].press("Start")
        students[0].wait_for(GOES_ON)
        again = time.monotonic() - start
    browser.close()
    yield Row(
        f"all {len(found)} workers killed while two students train",
        f"“{said[0]}” after {told:.1f} s; the other the same: {said[0].split('The')[-1] == said[1].split('The')[-1]}",
        "what was learned since the last checkpoint",
        again,
    )


def restarted(playwright: Playwright, how: int) -> Iterator[Row]:
    """The server ends and comes back on the same port while somebody has each page open, and one trains."""
    browser, port = launch_chromium(playwright), free_port()
    with copied() as folder, contextlib.ExitStack() as first:
        server = first.enter_context(serving_copy(folder, port))
        pages = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
        tabs = {page: Student(browser.new_context(reduced_motion="reduce"), server.url, page) for page in ("", *pages)}
        for tab in tabs.values():
            tab.set_a_slider()
        before = {page: tab.settings() for page, tab in tabs.items()}
        trains = started(browser.new_context(), server.url)
        held = trains.held()
        for process in (server.process, *workers(server)):
            process.send_signal(how)
        trains.page.wait_for_selector("[data-test-connection-state='PINGING_SERVER']")
        time.sleep(3)
        with contextlib.suppress(psutil.NoSuchProcess):
            server.process.wait(10)
        with serving_copy(folder, port) as again:
            start = time.monotonic()
            told = trains.wait_for("The server was restarted")
            until_told = time.monotonic() - start
            for tab in tabs.values():
                tab.at_rest()
            seconds = time.monotonic() - start
            same = sum(tab.settings() == before[page] for page, tab in tabs.items())
            quiet = sum(not tab.reads("The server was restarted") for tab in tabs.values())
            errors = again.errors()
    browser.close()
    name = signal.Signals(how).name
    yield Row(
        f"server ended by {name} and started again, {len(tabs)} pages open",
        f"“Connection error” while it is away; then {same} of {len(tabs)} pages have the same address and sliders; who "
        f"had nothing reads nothing ({quiet} of {len(tabs)}); who had trained reads after {until_told:.1f} s: "
        f"“{told.removeprefix('restart_alt').strip()}”",
        f"what the memory held (models, trainings, own, answers: {held}){'; ' + errors if errors else ''}",
        seconds,
    )


def absent(playwright: Playwright, seconds: int) -> Iterator[Row]:
    """Three students away for as long: one's network is cut, one's goes silent, one's laptop sleeps."""
    with (
        copied() as folder,
        serving_copy(folder, DIFFUSION_EXPLORER_WORKERS="3") as server,
        contextlib.ExitStack() as stack,
    ):
        port = int(server.url.rpartition(":")[2])
        away = []
        for how in ("the network is cut", "the network is silent", "the laptop sleeps"):
            browser = launch_chromium(playwright)
            stack.callback(browser.close)
            line = stack.enter_context(wire(port))
            leave, back = (line.cut if "cut" in how else line.stall), line.mend
            if "sleeps" in how:
                leave, back = sleeping(line, newest_chromium())
            student = started(browser.new_context(), f"http://127.0.0.1:{line.port}")
            away.append((how, student, student.held(), student.page.url, leave, back))
        for *_, leave, _ in away:
            leave()
        time.sleep(seconds)
        for how, student, held, address, _, back in away:
            back()
            start = time.monotonic()
            said = student.back_since(start)
            took = time.monotonic() - start
            student.page.wait_for_timeout(3000)
            now = zip(("models", "trainings", "own", "answers"), held, student.held(), strict=True)
            dropped = [name for name, before, after in now if after < before]
            same = "the address is the same" if student.page.url == address else f"the address is {student.page.url}"
            if "was dropped" in said:
                dropped.append("what the training did while nobody looked")
            lost = ", ".join(dropped) or "nothing that was kept"
            yield Row(f"{how} for {seconds} s", f"“{said}”; {same}", lost, took)
        if errors := server.errors():
            yield Row("", errors, "")


def newest_chromium() -> psutil.Process:
    """The browser that this process started last."""
    children = psutil.Process().children(recursive=True)
    browsers = [
        one
        for one in children
        if "--headless" in one.cmdline() and not any(part.startswith("--type=") for part in one.cmdline())
    ]
    return max(browsers, key=lambda one: one.create_time())


def sleeping(line: Wire, browser: psutil.Process) -> tuple[Callable[[], None], Callable[[], None]]:
    """To stop a browser with all its processes and its network, and to wake it."""

    def tell(what: int) -> None:
        for one in (browser, *browser.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(what)

    def leave() -> None:
        line.stall()
        tell(signal.SIGSTOP)

    def back() -> None:
        tell(signal.SIGCONT)
        line.mend()

    return leave, back


def set_back(playwright: Playwright) -> Iterator[Row]:
    """The server's clock an hour back while a student trains."""
    if not (compiler := shutil.which("cc")):
        yield Row("server's clock set back an hour", "not made: there is no C compiler", "")
        return
    browser = launch_chromium(playwright)
    with copied() as folder:
        library, flag = folder / "clock.so", folder / "clock"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, CLOCK], check=True)
        with serving_copy(folder, LD_PRELOAD=str(library), CLOCK_FLAG=str(flag)) as server:
            student = started(browser.new_context(), server.url)
            held = student.held()
            flag.touch()
            start = time.monotonic()
            student.page.wait_for_timeout(3000)
            before = student.wait_for(GOES_ON)
            student.page.wait_for_timeout(5000)
            after = student.wait_for(GOES_ON)
            student.page.reload()
            student.at_rest()
            seconds = time.monotonic() - start - 8
            kept = student.held()
            errors = server.errors()
    browser.close()
    yield Row(
        "server's clock set back an hour",
        f"the training goes on, “{before}”, then “{after}”, and is there after a reload",
        f"models, trainings, own, answers: {held} before, {kept} after{'; ' + errors if errors else ''}",
        seconds,
    )


def rows(arguments: Namespace) -> Iterator[Row]:
    yield from broken_assets()
    yield from full_disk()
    with sync_playwright() as playwright:
        yield from killed_workers(playwright)
        for how in (signal.SIGTERM, signal.SIGKILL):
            yield from restarted(playwright, how)
        yield from set_back(playwright)
        for seconds in ABSENCES[:1] if arguments.quick else ABSENCES:
            yield from absent(playwright, seconds)


HEADER = ["fault", "seen", "lost", "until it goes on, s"]


def run(arguments: Namespace) -> Iterator[str]:
    """The table as far as it has come, a row at a time, and all of it in the report."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    yield "\n".join(lines)
    for row in rows(arguments):
        lines.append(_line([row.fault, row.seen, row.lost, "" if row.seconds is None else f"{row.seconds:.1f}"]))
        yield lines[-1]
    if not arguments.quick:
        about = (__doc__ or "").partition("\n\n")[2]
        machine = f"{platform.machine()}, {os.cpu_count()} cores, load {psutil.getloadavg()[2]:.0f}"
        when = f"{time.strftime('%Y-%m-%d %H:%M')}, {machine}, Python {platform.python_version()}"
        REPORT.write_text("\n".join(["# Faults", "", about, when, "", *lines, ""]))


def _line(cells: Sequence[str]) -> str:
    """Not padded, as `tables.table` does it: sentences are too long for that."""
    return f"| {' | '.join(cells)} |"
