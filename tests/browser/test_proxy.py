"""The proxy of `Caddyfile` in front of two servers, below a path: students stay, and go on when their server ends."""

import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.serving import ROOT, Server, answering, free_port, on_port
from tests.browser.waiting import settle, wait_until

BASE = "/course"
PAGES = ("core_concepts", "voice_cloning", "for_teachers")  # components and downloads, sounds, codes for phones
LEFT = "net::ERR_ABORTED"  # the page was left before it came
PROBES = re.compile(r"/_stcore/(health|host-config)$")  # by which Streamlit's frontend finds the path of the app
LONG = 60_000  # ms
CADDY = shutil.which("caddy")
pytestmark = pytest.mark.skipif(not CADDY, reason="Caddy is not installed (on Debian: apt install caddy)")


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[Server]]:
    """Two servers, started side by side."""
    with ExitStack() as stack:
        yield [stack.enter_context(replica()) for _ in range(2)]


def replica() -> AbstractContextManager[Server]:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "Home.py", *on_port(port)]
    return answering([*command, f"--server.baseUrlPath={BASE}"], port, base=BASE, cwd=ROOT)


@pytest.fixture(scope="module")
def proxy(replicas: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    told = {
        "SITE": f"http://127.0.0.1:{port}",
        "BASE": BASE,
        "REPLICAS": " ".join(urlsplit(one.url).netloc for one in replicas),
        "XDG_DATA_HOME": str(tmp_path_factory.mktemp("caddy")),
        "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("caddy")),
    }
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", ROOT / "Caddyfile"]
    with answering(command, port, base=BASE, env=os.environ | told) as server:
        yield server


@pytest.fixture
def student(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def ask(url: str) -> HTTPResponse:
    """The answer to a GET, no other proxy between."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20)


def sessions(server: Server) -> int:
    """How many tabs are connected to a replica."""
    told = ask(f"{server.url}/_stcore/metrics?families=active_sessions").read().decode()
    return int(re.search(r"^active_sessions (\d+)", told, re.MULTILINE)[1])


def open_page(page: Page, url: str) -> None:
    page.goto(url, timeout=LONG)
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=LONG)
    settle(page)


def test_all_that_a_page_asks_for_lies_below_the_path(student: Page, proxy: Server) -> None:
    asked, failed = [], []
    student.on("response", lambda reply: asked.append(urlsplit(reply.url)))
    student.on(
        "response", lambda reply: reply.status >= 400 and not PROBES.search(reply.url) and failed.append(reply.url)
    )
    student.on(
        "requestfailed",
        lambda request: request.failure != LEFT and failed.append(f"{request.failure} {request.url}"),
    )
    host = urlsplit(proxy.url).netloc

    def links() -> list[str]:
        found = map(urlsplit, student.evaluate("[...document.querySelectorAll('a[href]')].map((link) => link.href)"))
        return [link.path for link in found if link.netloc == host]

    open_page(student, proxy.url)
    assert urlsplit(student.url).path == f"{BASE}/"
    station = student.locator("nav.map a", has_text="The engine")
    assert station.evaluate("link => link.href") == f"{proxy.url}/unet"
    station.click()
    expect(student).to_have_url(f"{proxy.url}/unet", timeout=LONG)
    for page in PAGES:
        open_page(student, f"{proxy.url}/{page}")
        assert len(links()) > 10
        assert all(path.startswith(f"{BASE}/") for path in links()), links()
    student.get_by_text("On paper, with codes").click()
    expect(student.get_by_role("textbox", name="Address of this app")).to_have_value(proxy.url, timeout=LONG)
    assert failed == []
    here = [address for address in asked if address.scheme == "http"]
    assert {address.netloc for address in here} == {host}
    assert [address.path for address in here if not f"{address.path}/".startswith(f"{BASE}/")] == []
    assert any("/media/" in address.path for address in here)


def test_a_student_stays_at_one_server_and_files_come_and_go(
    student: Page, proxy: Server, replicas: list[Server]
) -> None:
    before = [sessions(one) for one in replicas]
    open_page(student, proxy.url)
    for _ in range(3):  # further tabs of the same browser
        student.context.new_page().goto(proxy.url, timeout=LONG)
    gained: list[int] = []

    def all_connected() -> bool:
        gained[:] = [sessions(one) - was for one, was in zip(replicas, before, strict=True)]
        return sum(gained) == 4

    wait_until(student, all_connected, 60)
    assert sorted(gained) == [0, 4]
    student.get_by_text("Keep it, take it elsewhere").click()
    with student.expect_download() as started:
        student.get_by_role("button", name="Save as a file").click()
    assert b'"progress"' in started.value.path().read_bytes()
    student.locator("input[type=file]").set_input_files(
        {"name": "wrong.json", "mimeType": "application/json", "buffer": b"{}"}
    )
    expect(student.get_by_test_id("stAlert")).to_be_visible(timeout=LONG)  # so the server has read it


def test_what_is_inside_stays_inside(proxy: Server, replicas: list[Server]) -> None:
    assert ask(f"{replicas[0].url}/_stcore/metrics").status == 200
    with pytest.raises(HTTPError, match="404"):
        ask(f"{proxy.url}/_stcore/metrics")
    headers = ask(f"{proxy.url}/").headers
    assert headers["Server"] is None
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_when_a_server_ends_its_student_goes_on_at_the_other(
    student: Page, proxy: Server, replicas: list[Server]
) -> None:
    before = [sessions(one) for one in replicas]
    open_page(student, f"{proxy.url}/core_concepts?core_digit=7&core_seed=5")
    seed = student.get_by_role("slider", name="Noise seed")
    seed.press("ArrowRight")
    expect(student).to_have_url(re.compile("core_seed=6"))
    settle(student)
    (ends,) = (one for one, was in zip(replicas, before, strict=True) if sessions(one) > was)
    (stays,) = (one for one in replicas if one is not ends)
    there = sessions(stays)
    ends.process.kill()
    wait_until(student, lambda: sessions(stays) > there, 60)
    settle(student)
    expect(seed).to_have_value("6")
    seed.press("ArrowRight")
    expect(student).to_have_url(re.compile("core_digit=7.*core_seed=7"))
    settle(student)
    assert not stays.errors()
    wait_until(student, lambda: "dial tcp" in proxy.log.read_text(), 60)  # it tells what it met, and not whom
    told = proxy.log.read_text()
    assert "remote_ip" not in told
    assert "core_digit" not in told
