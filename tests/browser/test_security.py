"""The served app as an attacker meets it: other sites and hosts, other people's sessions and files, hostile names."""

import asyncio
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.Element_pb2 import Element
from websockets.asyncio.client import connect

from benchmarks import protocol
from benchmarks.protocol import Session, _walk
from explorer.files import ASSETS
from explorer.ui.visitors import COOKIE
from tests.browser.serving import Server, serving

STREAM, UPLOAD = "/_stcore/stream", "/_stcore/upload_file"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
LIGHT = "for_teachers"  # a page that needs no torch
SCRIPT = "<img src=x onerror=\"document.title='hacked'\">[a](javascript:document.title='hacked')$x$:material/home:"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("Home.py", settings=["--server.allowedHosts=127.0.0.1"]) as server:
        yield server


def host_of(server: Server) -> str:
    return server.url.removeprefix("http://")


def ask(
    server: Server, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer to a request whose path and headers are sent as they are."""
    connection = http.client.HTTPConnection(host_of(server), timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in ({"Host": host_of(server)} | headers).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer, b"" if answer.status == 101 else answer.read()
    finally:
        connection.close()


# Other sites and other hosts


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "evil@127.0.0.1"}, 403),
    ],
)
def test_only_pages_of_this_host_may_connect(server: Server, headers: dict[str, str], status: int) -> None:
    """A name that an attacker lets point to this machine is another host, and its page another origin."""
    same = {"Origin": server.url} | headers
    assert ask(server, STREAM, **UPGRADE, **same)[0].status == status


def test_no_other_origin_may_read_an_answer(server: Server) -> None:
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/0.png"):
        answer, _ = ask(server, path, Origin="https://evil.example")
        assert answer.getheader("Access-Control-Allow-Origin") is None


def test_the_machines_interface_of_streamlit_is_off(server: Server) -> None:
    answer, _ = ask(server, "/_stcore/agent/interact", "POST", b"{}")
    assert answer.status in (403, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/static/..%2f..%2fpyproject.toml",
        "/app/static/../../pyproject.toml",
        "/component/../../pyproject.toml",
        "/_stcore/bidi-components/x/../../../pyproject.toml",
        "/media/..%2fpyproject.toml",
        "//etc/passwd",
        "/static//etc/passwd",
        "/static/..\\..\\pyproject.toml",
    ],
)
def test_no_path_leads_to_a_file_beside_the_app(server: Server, path: str) -> None:
    _, content = ask(server, path)
    assert b"[project]" not in content and b"root:" not in content


# Uploads


class Known(Session):
    """A session that knows its name, as its browser does."""

    id = ""

    def _begin(self, new: Any, run: Any) -> None:
        self.id = self.id or new.initialize.session_id
        super()._begin(new, run)


def uploaded(server: Server, session: str, megabytes: float, token: bool = True) -> int:
    """The status of an upload of so many megabytes to a session."""
    cookies = ask(server, "/_stcore/health")[0].headers.get_all("Set-Cookie") or []
    found = re.search(r"_streamlit_xsrf=([^;]+)", " ".join(cookies))
    assert found
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = part + bytes(int(megabytes * 1e6)) + b"\r\n--x--\r\n"
    known = {"Cookie": f"_streamlit_xsrf={found[1]}", "X-Xsrftoken": found[1]} if token else {}
    headers = {"Content-Type": "multipart/form-data; boundary=x"} | known
    return ask(server, f"{UPLOAD}/{session}/1", "PUT", body, **headers)[0].status


def test_an_upload_needs_the_token_a_session_and_room(server: Server) -> None:
    async def visit() -> list[int]:
        async with Known(server.url, LIGHT) as session:
            loop = asyncio.get_running_loop()
            return [
                await loop.run_in_executor(None, uploaded, server, session.id if known else "1" * 36, size, token)
                for known, size, token in (
                    (True, 0.01, True),
                    (True, 0.01, False),
                    (False, 0.01, True),
                    (True, 23, True),
                )
            ]

    good, without_token, without_session, too_large = asyncio.run(visit())
    assert good == 204
    assert without_token == 403
    assert without_session == 400
    assert too_large == 413


# The visitor


def test_a_session_sees_nothing_of_another_by_guessing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the cookie is the visitor; no other cookie is, no name of a session, no address and no state."""
    mine = "0123456789abcdef" * 2
    given = {"cookie": mine, "session": ""}

    def connecting(url: str, subprotocols: list[str], **options: Any) -> Any:
        asked = [*subprotocols, *filter(None, [given["session"]])]
        return connect(url, subprotocols=asked, additional_headers={"Cookie": f"{COOKIE}={given['cookie']}"}, **options)

    async def visit() -> None:
        async with Known(server.url) as first:
            first._query["done"] = ["core_concepts.0.1,unet.0"]
            await first.rerun()
            assert "3 of 25 questions right" in done(first)
            async with Known(server.url) as second_tab:
                assert "3 of 25 questions right" in done(second_tab)
                given["session"] = second_tab.id
            async with Known(server.url) as again:  # as after a pause of the network
                assert again.id == second_tab.id
            for cookie in (mine[:-1] + "0", "", "*", f"{mine}0"):
                given["cookie"], given["session"] = cookie, first.id
                async with Known(server.url) as stranger:
                    assert stranger.id != first.id
                    stranger._states |= first._states
                    await stranger.rerun()
                    assert " 0 of 25 questions right" in done(stranger)

    def done(session: Session) -> str:
        elements = (node.content for node in _walk(session._roots) if isinstance(node.content, Element))
        return next(one.progress.text for one in elements if one.WhichOneof("type") == "progress")

    monkeypatch.setattr(protocol, "connect", connecting)
    asyncio.run(visit())


def test_no_script_reads_who_the_visitor_is_and_a_reload_keeps_it(server: Server, browser_page: Page) -> None:
    def name() -> str:
        expect(browser_page.get_by_role("heading", name="For teachers")).to_be_visible()
        (cookie,) = (cookie for cookie in browser_page.context.cookies() if cookie["name"] == COOKIE)
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and not cookie["secure"]
        assert COOKIE not in browser_page.evaluate("document.cookie")
        return str(cookie["value"])

    browser_page.goto(f"{server.url}/{LIGHT}")
    first = name()
    browser_page.reload()
    assert name() == first


# Hostile names


def test_a_hostile_name_runs_nothing_and_draws_nothing(server: Server, browser_page: Page) -> None:
    page, history = browser_page, json.loads((ASSETS / "trainings/digits.json").read_bytes())
    history |= {"name": SCRIPT, "classes": [f"{number}{SCRIPT}" for number in range(10)]}
    page.goto(f"{server.url}/training_lab")
    file = page.get_by_label("A file that this lab saved").locator("input[type=file]")
    name = "<b onclick=alert(1)>.json"
    file.set_input_files({"name": name, "mimeType": "application/json", "buffer": json.dumps(history).encode()})
    expect(page.get_by_text("The history of “")).to_contain_text(re.sub(r":(?=\S)", ":\N{WORD JOINER}", SCRIPT))
    expect(page.get_by_label("Run", exact=True)).to_have_value(SCRIPT)
    expect(page.locator(".film-title", has_text=SCRIPT)).to_be_visible()
    assert page.locator("img[src=x], a[href^='javascript'], [onclick], [onerror]").count() == 0
    assert "hacked" not in page.title()
