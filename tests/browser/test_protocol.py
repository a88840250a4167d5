"""The benchmarks' client beside Chromium: on the same visit it sends the same messages."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

from benchmarks.protocol import Session

FIRST, SECOND = "core_concepts", "geometry_lab"
MOVED = {FIRST: ["core_seed", "core_seed", "core_small_steps"], SECOND: ["geo_points", "geo_seed"]}  # by a step


def said(message: BackMsg) -> dict[str, Any]:
    """What a message asks for, and what the browser says that it has; not who asks."""
    state = message.rerun_script
    return {
        "page": state.page_script_hash or state.page_name,
        "fragment": state.fragment_id,
        "address": state.query_string,
        "cached": sorted(state.cached_message_hashes),
        "widgets": {widget.id: str(widget) for widget in state.widget_states.widgets},
    }


def chromium_says(page: Page, url: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    ended: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: sent.append(said(BackMsg.FromString(payload))))
        socket.on("framereceived", lambda payload: take(ForwardMsg.FromString(payload)))

    def take(message: ForwardMsg) -> None:
        if message.HasField("script_finished"):
            ended.append(message.script_finished)

    def answered() -> None:
        for _ in range(300):
            if len(ended) == len(sent):
                break
            page.wait_for_timeout(200)
        page.wait_for_load_state("networkidle")  # what shows the widgets is fetched when they come
        page.wait_for_timeout(1000)

    page.on("websocket", listen)
    page.goto(f"{url}/{FIRST}")
    page.wait_for_selector("h1")
    answered()
    for name, keys in MOVED.items():
        if name != FIRST:
            page.locator(f'[data-testid="stSidebarNavLink"][href$="{name}"]').click()
            page.wait_for_timeout(200)
            answered()
        for key in keys:
            page.locator(f".st-key-{key} input").focus()
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(200)
            answered()
    return sent


async def client_visits(url: str) -> None:
    async with Session(url, FIRST) as session:
        pages = {page.url_pathname: page for page in session.pages}
        for name, keys in MOVED.items():
            if name != FIRST:
                await session.go(pages[name])
            for key in keys:
                (slider,) = (slider for slider in session.sliders() if slider.key == key)
                values = slider.values()
                await session.change(slider, values[values.index(session.value(slider)) + 1])


def test_it_sends_what_chromium_sends(
    browser_page: Page, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve("Home.py")
    browser_page.goto(url)  # the server's first visitor
    browser_page.wait_for_selector("h1")
    expected = chromium_says(browser_page, url)

    sent: list[dict[str, Any]] = []
    send = ClientConnection.send

    async def recorded(connection: ClientConnection, payload: bytes) -> None:
        sent.append(said(BackMsg.FromString(payload)))
        await send(connection, payload)

    monkeypatch.setattr(ClientConnection, "send", recorded)
    with ThreadPoolExecutor() as pool:  # Playwright's loop runs in this thread
        pool.submit(asyncio.run, client_visits(url)).result()
    assert len(expected) == 2 + sum(map(len, MOVED.values()))
    assert sent == expected
